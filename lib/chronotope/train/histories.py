"""Histories: what each user did, step by step, across sessions."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from chronotope.places import haversine_m
from chronotope.tables.sessions import HISTORIES

FIELDS = ["event_id", "item_id", "action", "occurred_at_s", "slot", "region", "lat", "lon"]
STEP_FIELDS = [*FIELDS, "gap_s", "distance_m"]


def histories(sessions: DataFrame, max_steps: int) -> DataFrame:
    """One row per user: the last `max_steps` steps that have an item, oldest first, ties by event_id.

    Columns: user_id, and one array per field of a step, all of one length: event_id, item_id, action,
    occurred_at_s (epoch seconds), slot, region, lat, lon (degrees), gap_s (seconds) and distance_m (metres) since
    the user's step before, across sessions; null on a user's first step and, for distances, where a place is
    unknown. Users without such a step have no row.

    Args:
        sessions: the current rows of the table `sessions`, one per session.
        max_steps: steps kept per user, the newest; gaps and distances are measured before older steps are dropped.

    """
    return gathered(measured(item_steps(recent(sessions, max_steps))), max_steps)


def in_no_order(found: DataFrame) -> DataFrame:
    """Histories with the users of each partition in an order that says nothing of them.

    Training that ends before it has met all of them, and validation on some, then stand for all of them.
    """
    return found.sortWithinPartitions(F.xxhash64("user_id"), "user_id")


def recent(sessions: DataFrame, max_steps: int) -> DataFrame:
    """The sessions that hold each user's newest `max_steps` steps with an item and the step before those.

    Sessions of a user do not overlap. Whole ones are left out before their steps are taken apart and sorted: of a
    user's years a few weeks are read.
    """
    newer = Window.partitionBy("user_id").orderBy(F.desc("started_at"), F.desc("session_key"))
    newer = newer.rowsBetween(Window.unboundedPreceding, -1)
    with_item = F.size(F.array_compact(F.col("steps.item_id")))
    counted = sessions.select("user_id", "session_key", "started_at", "steps", with_item.alias("n"))
    placed = counted.withColumn("newer", F.coalesce(F.sum("n").over(newer), F.lit(0)))
    return placed.where(F.col("newer") <= max_steps)


def carried_on(before: DataFrame, events: DataFrame, max_steps: int) -> DataFrame:
    """The histories of the users of some events, from those that they had before: what `histories` would give.

    A late event takes its place among the steps; one that is older than `max_steps` others changes nothing. One of the
    very time of the step before the oldest one kept goes before that step, for its event_id is not known any more: the
    distance that was measured to it stands, where `histories` would order the two by event_id.

    Args:
        before: rows as of `histories`, of at least the users of the events who have one.
        events: rows of the table `events` that are not in `before`.
        max_steps: as in `histories`; before must not have been made with fewer.

    """
    of_events = event_steps(events)
    known = before.select("user_id", F.posexplode(F.arrays_zip(*STEP_FIELDS)).alias("nth", "step"))
    known = known.select("user_id", "nth", "step.*")
    known = known.withColumnsRenamed({"gap_s": "known_gap_s", "distance_m": "known_distance_m"})
    touched = known.join(of_events.select("user_id").distinct(), "user_id", "left_semi")
    steps = measured(touched.unionByName(of_events, allowMissingColumns=True))
    # The step before the oldest one kept is not here: what was measured to it stands, unless a late event lies between.
    measured_to_it = (F.col("nth") == 0) & F.col("known_gap_s").isNotNull()
    stands = measured_to_it & F.coalesce(F.col("known_gap_s") <= F.col("gap_s"), F.lit(True))
    steps = steps.withColumns(
        {name: F.when(stands, F.col(f"known_{name}")).otherwise(F.col(name)) for name in ("gap_s", "distance_m")}
    )
    return gathered(steps, max_steps)


def as_table(found: DataFrame, night: dt.date) -> DataFrame:
    """Histories as rows of the table."""
    return HISTORIES.conform(found.withColumn("night", F.lit(night)))


def measured(steps: DataFrame) -> DataFrame:
    """Add gap_s and distance_m since the user's step before."""
    by_time = Window.partitionBy("user_id").orderBy("occurred_at_s", "event_id")
    moved_m = haversine_m(F.lag("lat").over(by_time), F.lag("lon").over(by_time), F.col("lat"), F.col("lon"))
    gap_s = F.col("occurred_at_s") - F.lag("occurred_at_s").over(by_time)
    return steps.withColumn("gap_s", gap_s).withColumn("distance_m", moved_m)


def gathered(steps: DataFrame, max_steps: int) -> DataFrame:
    """One row per user with the newest steps, a column for each of STEP_FIELDS."""
    # Counted from both ends, for a window in the other order would sort all steps once more.
    user = Window.partitionBy("user_id")
    place, n = F.row_number().over(user.orderBy("occurred_at_s", "event_id")), F.count("*").over(user)
    kept = steps.withColumns({"place": place, "n": n}).where(F.col("place") > F.col("n") - max_steps)
    # collect_list keeps no order, so each step carries what the array is sorted by.
    ordered = F.sort_array(F.collect_list(F.struct("occurred_at_s", *[f for f in STEP_FIELDS if f != "occurred_at_s"])))
    users = kept.groupBy("user_id").agg(ordered.alias("steps"))
    return users.select("user_id", *[F.col(f"steps.{field}").alias(field) for field in STEP_FIELDS])


def item_steps(sessions: DataFrame) -> DataFrame:
    """One row per step that has an item, in no order: user_id, session_key, the step's fields and occurred_at_s."""
    steps = sessions.select("user_id", "session_key", F.explode("steps").alias("step")).select(
        "user_id", "session_key", "step.*"
    )
    at_s = F.unix_micros("occurred_at") / F.lit(1e6)
    return steps.where(F.col("item_id").isNotNull()).withColumn("occurred_at_s", at_s).drop("gap_s", "distance_m")


def event_steps(events: DataFrame) -> DataFrame:
    """One row per event that has an item: user_id and FIELDS."""
    at_s = F.unix_micros("occurred_at") / F.lit(1e6)
    return events.where(F.col("item_id").isNotNull()).withColumn("occurred_at_s", at_s).select("user_id", *FIELDS)
