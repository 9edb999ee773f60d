"""Stage recommend: ranked lists for every user that the night touched, by daypart and region, with reasons."""

import functools
import sys

from chronotope.cli.jobs import main
from chronotope.infer.workers import load_scorer
from chronotope.recommend.contexts import seen_items
from chronotope.recommend.recommendations import recommendations
from chronotope.store.frames import union
from chronotope.store.night import Night
from chronotope.store.rebuild import made_for


def run(night: Night) -> None:
    settings, steps = night.settings, night.rows("histories")
    load = functools.partial(load_scorer, night.model_folder, settings.infer.device, 1)
    hidden = seen_items(night.read("counts", steps), settings.recommend)
    states, expected, model_id = night.rows("user_states"), night.rows("forecasts"), load().model_id

    lists = (
        recommendations(of, expected, states, hidden, load, model_id, settings, end, night.date, for_anybody)
        for end, of, for_anybody in made_for(night, steps)
    )
    night.write("recommendations", union(lists))


if __name__ == "__main__":
    sys.exit(main({"recommend": run}))
