"""Stage infer: where each user stands, and what is expected of them where and when."""

import functools
import sys

from chronotope.cli.jobs import main
from chronotope.infer.contexts import usual_dayparts
from chronotope.infer.forecasts import forecasts
from chronotope.infer.states import user_states
from chronotope.infer.topics import topics_of
from chronotope.infer.workers import load_scorer
from chronotope.store.frames import union
from chronotope.store.night import Night
from chronotope.store.rebuild import made_for


def run(night: Night) -> None:
    settings, steps = night.settings, night.rows("histories")
    load = functools.partial(load_scorer, night.model_folder, settings.infer.device, 1)
    catalogue = load().catalogue
    topics = topics_of(catalogue, settings.infer.n_topics, settings.night.seed)
    counts, usual = night.read("counts", steps), usual_dayparts(night.spark, catalogue)

    night.write("user_states", user_states(steps, load, settings, night.date))
    expected = (
        forecasts(of, counts, usual, topics, load, settings, end, night.date) for end, of, _ in made_for(night, steps)
    )
    night.write("forecasts", union(expected))


if __name__ == "__main__":
    sys.exit(main({"infer": run}))
