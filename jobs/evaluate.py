"""Stage evaluate: the models on the held-out tail, and last night's lists and forecasts met by the day."""

import sys

from chronotope.cli.jobs import main
from chronotope.evaluate.breadth import popularity_of
from chronotope.evaluate.evaluations import evaluate_published, evaluate_tail
from chronotope.evaluate.feedback import feedback
from chronotope.evaluate.forecasts import evaluate_forecasts
from chronotope.infer.forecasts import OTHER
from chronotope.infer.topics import topic_frame
from chronotope.store.frames import union
from chronotope.store.models import read_model
from chronotope.store.night import Night


def run(night: Night) -> None:
    settings, before = night.settings, night.before
    popularity = popularity_of(night.read("counts"))
    found = [evaluate_tail(night.rows("ranks"), popularity, settings.evaluate, night.date)]
    if before:
        events, model = night.rows("events"), before.run["model"]
        lists = night.latest_earlier("recommendations")
        expected = night.latest_earlier("forecasts").where(f"topic != '{OTHER}'")  # the rest is no topic of an event
        catalogue = read_model(night.models_dir / f"night={before.night}").catalogue
        topics = topic_frame(night.spark, catalogue, settings.infer.n_topics, settings.night.seed)
        met = feedback(lists, events, model, before.night, night.date, settings)
        night.write("feedback", met)
        found.append(evaluate_published(night.rows("feedback"), popularity, settings.evaluate, night.date))
        found.append(
            evaluate_forecasts(expected, events, topics, popularity, model, before.night, night.date, settings)
        )
    night.write("evaluations", union(found))


if __name__ == "__main__":
    sys.exit(main({"evaluate": run}))
