"""Stage infer: where each user stands, and what is expected of them where and when."""

import functools
import sys

from chronotope.cli.jobs import main
from chronotope.infer.forecasts import forecasts
from chronotope.infer.states import user_states
from chronotope.infer.topics import topics_of
from chronotope.infer.workers import load_scorer
from chronotope.store.night import Night
from chronotope.train.histories import histories


def run(night: Night) -> None:
    settings = night.settings
    load = functools.partial(load_scorer, night.model_folder, settings.infer.device, 1)
    steps = histories(night.read("sessions"), settings.train.max_steps)
    topics = topics_of(load().catalogue, settings.infer.n_topics, settings.night.seed)
    counts = night.read("counts")

    night.write("user_states", user_states(steps, load, settings, night.date))
    night.write("forecasts", forecasts(steps, counts, topics, load, settings, night.end, night.date))


if __name__ == "__main__":
    sys.exit(main({"infer": run}))
