"""Stage recommend: ranked lists for every user, daypart and region, with reasons."""

import functools
import sys

from chronotope.cli.jobs import main
from chronotope.infer.workers import load_scorer
from chronotope.recommend.contexts import seen_items
from chronotope.recommend.recommendations import recommendations
from chronotope.store.night import Night
from chronotope.train.histories import histories


def run(night: Night) -> None:
    settings = night.settings
    load = functools.partial(load_scorer, night.model_folder, settings.infer.device, 1)
    steps = histories(night.read("sessions"), settings.train.max_steps)
    hidden = seen_items(night.read("events"), settings.recommend)
    states, expected = night.rows("user_states"), night.rows("forecasts")

    lists = recommendations(steps, expected, states, hidden, load, load().model_id, settings, night.end, night.date)
    night.write("recommendations", lists)


if __name__ == "__main__":
    sys.exit(main({"recommend": run}))
