"""Histories: what each user did, step by step, across sessions."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from chronotope.places import haversine_m

STEP_FIELDS = ["event_id", "item_id", "action", "occurred_at_s", "slot", "region", "lat", "lon", "gap_s", "distance_m"]


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
    by_time = Window.partitionBy("user_id").orderBy("occurred_at_s", "event_id")
    newest = Window.partitionBy("user_id").orderBy(F.desc("occurred_at_s"), F.desc("event_id"))
    steps = (
        item_steps(sessions)
        .withColumn("gap_s", F.col("occurred_at_s") - F.lag("occurred_at_s").over(by_time))
        .withColumn(
            "distance_m",
            haversine_m(F.lag("lat").over(by_time), F.lag("lon").over(by_time), F.col("lat"), F.col("lon")),
        )
        .withColumn("age", F.row_number().over(newest))
        .where(F.col("age") <= max_steps)
    )
    # collect_list keeps no order, so each step carries what the array is sorted by.
    ordered = F.sort_array(F.collect_list(F.struct("occurred_at_s", *[f for f in STEP_FIELDS if f != "occurred_at_s"])))
    gathered = steps.groupBy("user_id").agg(ordered.alias("steps"))
    return gathered.select("user_id", *[F.col(f"steps.{field}").alias(field) for field in STEP_FIELDS])


def item_steps(sessions: DataFrame) -> DataFrame:
    """One row per step that has an item, in no order: user_id, session_key, the step's fields and occurred_at_s."""
    steps = sessions.select("user_id", "session_key", F.explode("steps").alias("step")).select(
        "user_id", "session_key", "step.*"
    )
    at_s = F.unix_micros("occurred_at") / F.lit(1e6)
    return steps.where(F.col("item_id").isNotNull()).withColumn("occurred_at_s", at_s).drop("gap_s", "distance_m")
