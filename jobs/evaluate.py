"""Stage evaluate: the models on the held-out tail, and last night's lists and forecasts met by the day."""

import sys

from pyspark.sql import DataFrame

from chronotope.cli.jobs import main
from chronotope.embed.weights import model_name
from chronotope.evaluate.breadth import popularity_of
from chronotope.evaluate.evaluations import evaluate_published, evaluate_tail
from chronotope.evaluate.feedback import feedback, has_dayparts, shown_to
from chronotope.evaluate.forecasts import evaluate_forecasts
from chronotope.evaluate.mixes import text_buckets
from chronotope.evaluate.watch import Watched, watch
from chronotope.infer.forecasts import OTHER
from chronotope.infer.topics import topic_frame
from chronotope.store.frames import union
from chronotope.store.models import read_model, readable_model
from chronotope.store.night import Night


def run(night: Night) -> None:
    settings, before, events = night.settings, night.before, night.rows("events")
    tonight = popularity_of(night.spark, read_model(night.model_folder).catalogue)
    lists = night.read_before("recommendations", shown_to(events)) if before else None
    found = [watch(watched(night, events, lists), settings, night.date)]
    if night.is_refresh:
        found.append(evaluate_tail(night.rows("ranks"), tonight, settings.evaluate, night.date))
    if before:
        shown = (before.run["model"], before.night, night.date, settings)
        then = readable_model(night.model_folder_before, "last night's forecasts are not evaluated")
        # Tonight's may count the events that last night's lists are tested on: it only stands in for a lost one.
        popularity = popularity_of(night.spark, then.catalogue) if then else tonight
        if not night.has_other_settings or has_dayparts(then, settings.night):
            night.write("feedback", feedback(lists, events, *shown))
            found.append(evaluate_published(night.rows("feedback"), popularity, settings.evaluate, night.date))
        if then and not night.has_other_settings:  # which may have had other topics
            named = night.read_before("forecasts", events).where(f"topic != '{OTHER}'")  # the rest is no event's topic
            topics = topic_frame(night.spark, then.catalogue, settings.infer.n_topics, settings.night.seed)
            found.append(evaluate_forecasts(named, events, topics, popularity, *shown))
    night.write("evaluations", union(found))


def watched(night: Night, events: DataFrame, lists_before: DataFrame | None) -> Watched:
    encoder = model_name(night.settings.embed)
    vectors = night.read("item_embeddings").where(f"model = '{encoder}'")
    return Watched(
        events,
        night.rows("rejects"),
        night.rows("interests"),
        night.read("recommendations", events),
        lists_before,
        text_buckets(events, night.read("items"), vectors),
        encoder,
        night.earlier("evaluations"),
    )


if __name__ == "__main__":
    sys.exit(main({"evaluate": run}))
