"""The held-out tail: every scorer ranks the catalogue for every query, from what could be known at the time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from chronotope.config import Settings
from chronotope.evaluate.asking import ASKED_FIELDS, RANKED_FIELDS, Asking, rank_users
from chronotope.tables.runs import RANKS
from chronotope.train.batches import by_length
from chronotope.train.histories import STEP_FIELDS
from chronotope.train.scoring import Scorer

BATCH_USERS = 256  # users padded to one length at a time


def rank_tail(
    histories: DataFrame,
    events: DataFrame,
    items: DataFrame,
    tail_start: dt.datetime,
    load: Callable[[], Sequence[Scorer]],
    settings: Settings,
    night: dt.date,
) -> DataFrame:
    """Where each scorer ranks the items of the tail's events, under both protocols: table `ranks`.

    The queries are the tail's events with an item; where there are more than `evaluate.max_queries`, those with the
    lowest hashes of their ids. Every query has a row per scorer and protocol, also of users without history and of
    items that a scorer does not know: such a truth has rank N + 1 of N candidates, a miss in every metric.

    Protocols, by what may be known: `tail_next` all steps strictly before the event, the last of them as the step
    just before; `tail_morning` the steps before the midnight (night.time_zone) before the event, and that the step
    just before is not among them. The slot is known in both, the region in neither.

    Args:
        histories: rows of `chronotope.train.histories.histories` up to the end of the tail. Steps beyond the kept
            ones are unknown, so keep more than a user has in the tail.
        events: rows of `events` up to the end of the tail, of all nights.
        items: current rows of `items`, for language and place.
        tail_start: the first moment (UTC) of the tail.
        load: gives the scorers, each counted and trained before `tail_start`; called once per task.
        settings: sections night and evaluate.
        night: what the rows are written under.

    """
    asking = Asking.of(settings)
    arrays = [F.coalesce(field, F.array().cast(histories.schema[field].dataType)).alias(field) for field in STEP_FIELDS]
    users = tail_queries(events, items, tail_start, settings.evaluate.max_queries).join(histories, "user_id", "left")
    schema = StructType([RANKS.schema()[name] for name in RANKED_FIELDS])

    def rank(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        scorers = load()
        for frame in by_length(frames, BATCH_USERS):
            yield from rank_users(frame, scorers, asking)

    ranked = users.select("user_id", "n_events", *ASKED_FIELDS, *arrays).mapInPandas(rank, schema)
    return RANKS.conform(ranked.withColumn("night", F.lit(night)))


def tail_queries(events: DataFrame, items: DataFrame, tail_start: dt.datetime, max_queries: int) -> DataFrame:
    """One row per user with queries: user_id, n_events (with an item, before the tail) and an array per field of them.

    The arrays are in time order: asked_at_s (epoch seconds), asked_query_id, asked_item_id, asked_slot, asked_lat and
    asked_lon (degrees; the event's, else the item's) and asked_language.
    """
    met = events.where(F.col("item_id").isNotNull())
    # A hash of the id picks the same queries whatever else is in the log, so nights can be compared.
    sample = (
        met.where(F.col("occurred_at") >= F.lit(tail_start))
        .orderBy(F.xxhash64("event_id"), "event_id")
        .limit(max_queries)
        .alias("e")
    )
    query = F.struct(
        (F.unix_micros("e.occurred_at") / F.lit(1e6)).alias("at_s"),
        F.col("e.event_id").alias("query_id"),
        F.col("e.item_id").alias("item_id"),
        F.col("e.slot").alias("slot"),
        either("lat"),
        either("lon"),
        F.coalesce("i.language", F.lit("unknown")).alias("language"),
    )
    asked = sample.join(items.alias("i"), F.col("e.item_id") == F.col("i.item_id"), "left")
    per_user = asked.groupBy("e.user_id").agg(F.sort_array(F.collect_list(query)).alias("queries"))
    known = met.where(F.col("occurred_at") < F.lit(tail_start)).groupBy("user_id").agg(F.count("*").alias("n_events"))
    fields = [F.col(f"queries.{field.removeprefix('asked_')}").alias(field) for field in ASKED_FIELDS]
    counted = per_user.join(known, "user_id", "left")
    return counted.select("user_id", F.coalesce("n_events", F.lit(0)).alias("n_events"), *fields)


def either(coordinate: str) -> Column:
    """The event's coordinate, or the item's where the event has none."""
    return F.coalesce(f"e.{coordinate}", f"i.{coordinate}").alias(coordinate)
