"""Yesterday's lists meet today's events."""

from __future__ import annotations

import datetime as dt
import logging

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.config import NightSettings, Settings
from chronotope.slots import daypart_names, daypart_of, end_of
from chronotope.store.models import StoredModel
from chronotope.tables.recommendations import FEEDBACK

log = logging.getLogger(__name__)

ANYBODY = "*"  # user_id of the lists for users without their own


def feedback(
    recommendations: DataFrame,
    events: DataFrame,
    model: str,
    shown_night: dt.date,
    night: dt.date,
    settings: Settings,
) -> DataFrame:
    """What was shown to each user in each context since the lists were published, and what followed: table `feedback`.

    One row per user, daypart and region with events on items after the end of `shown_night`. Users who had no list
    of their own there were shown the one for anybody; where there was none either, `shown` is empty and all `ranks`
    are null, so that missing lists count against the model. `followed` names each item once, at its first event.
    Late events from before the lists were published are left out: the lists were not made for them.

    Args:
        recommendations: rows of `recommendations` that the night `shown_night` published.
        events: rows of `events` that this night took in.
        model: model_id of the model that made the night's tables; rows are attributed to it, with or without list.
        shown_night: the night of the lists.
        night: what the rows are written under.
        settings: night.dayparts and night.time_zone are read.

    """
    published_at = F.lit(end_of(shown_night, settings.night.time_zone))
    met = followed(events.where(F.col("occurred_at") >= published_at), settings)
    context = ("daypart", "region")
    shown = recommendations.groupBy("user_id", *context).agg(ordered(F.struct("rank", "item_id")).alias("shown"))
    anybody = shown.where(F.col("user_id") == ANYBODY).select(*context, F.col("shown").alias("to_anybody"))
    joined = met.join(shown, ["user_id", *context], "left").join(F.broadcast(anybody), [*context], "left")
    seen = joined.withColumn("shown", F.coalesce("shown", "to_anybody", F.array().cast("array<string>")))
    place = F.transform("followed", lambda item: F.nullif(F.array_position("shown", item).cast("int"), F.lit(0)))
    return FEEDBACK.conform(
        seen.withColumn("ranks", place)
        .withColumn("model", F.lit(model))
        .withColumn("shown_night", F.lit(shown_night))
        .withColumn("night", F.lit(night))
        .drop("to_anybody")
    )


def has_dayparts(then: StoredModel | None, night: NightSettings) -> bool:
    """Whether lists that a model has made are for tonight's dayparts: by others an event is in no list's context.

    A warning says so where they are not, or where the model is lost and nobody knows.
    """
    known = then.catalogue if then else None
    same = known is not None and [known.dayparts[of] for of in known.daypart_of_slot] == daypart_names(night.dayparts)
    if not same:
        log.warning("last night's lists are not evaluated: they are for other dayparts, or their model is lost")
    return same


def shown_to(events: DataFrame) -> DataFrame:
    """Whose lists `feedback` needs: the user_id of the events, and of the lists for anybody."""
    anybody = events.sparkSession.range(1).select(F.lit(ANYBODY).alias("user_id"))
    return events.select("user_id").unionByName(anybody)


def followed(events: DataFrame, settings: Settings) -> DataFrame:
    """The distinct items that each user met in each context, in the order first met, ties by event_id."""
    daypart = daypart_of(F.col("slot"), settings.night.dayparts)
    first = F.min(F.struct("occurred_at", "event_id")).alias("first")
    per_item = (
        events.where(F.col("item_id").isNotNull())
        .groupBy("user_id", daypart.alias("daypart"), F.coalesce("region", F.lit("")).alias("region"), "item_id")
        .agg(first)
    )
    return per_item.groupBy("user_id", "daypart", "region").agg(ordered(F.struct("first", "item_id")).alias("followed"))


def ordered(row: Column) -> Column:
    """The item_ids of structs, in the order of the structs."""
    return F.sort_array(F.collect_list(row))["item_id"]
