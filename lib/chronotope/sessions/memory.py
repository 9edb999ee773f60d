"""Additive counts of items and of successions, one summand per night."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.slots import day_end, daypart_of, end_of
from chronotope.tables.counts import COUNTS, TRANSITIONS
from chronotope.weights import decay, weight_of


def counts(events: DataFrame, settings: Settings, night: dt.date, before: DataFrame | None = None) -> DataFrame:
    """How often, how heavily and how lately each user met each item, by daypart and region: table `counts`.

    Over the events that this night took in, late ones included; those without an item are left out. The sums over
    nights, `decayed` rescaled to one moment, are what one pass over all events gives, and `last_at` is then the
    maximum. An event at or after the night's end does not occur.

    Args:
        events: the events that this night took in.
        settings: reads `night`, `interest` and `recommend`; an action that is not listed weighs 1.
        night: what the rows are written under.
        before: on a refresh night, the rows that stand for the nights before: they are added.

    """
    interest, hide_actions = settings.interest, settings.recommend.hide_actions
    end_s = F.lit(end_of(night, settings.night.time_zone).timestamp())
    age_s = end_s - F.unix_micros("occurred_at") / F.lit(1e6)
    found = (
        events.where(F.col("item_id").isNotNull())
        .groupBy(
            "user_id",
            "item_id",
            daypart_of(F.col("slot"), settings.night.dayparts).alias("daypart"),
            F.coalesce("region", F.lit("")).alias("region"),
        )
        .agg(
            F.count("*").alias("n"),
            F.sum(weight_of(F.col("action"), interest.action_weights)).alias("weight"),
            F.sum(decay(age_s, interest.half_life_long_days)).alias("decayed"),
            F.count_if(F.col("action").isin(hide_actions)).alias("hiding"),
            F.max("occurred_at").alias("last_at"),
        )
        .withColumn("night", F.lit(night))
    )
    return COUNTS.conform(found if before is None else added(found, before, settings, night))


def added(tonight: DataFrame, before: DataFrame, settings: Settings, night: dt.date) -> DataFrame:
    """The rows of several nights as one row per key, decayed to the end of `night`."""
    old = before.withColumn("decayed", decayed_at(end_of(night, settings.night.time_zone), settings))
    sums = [F.sum(name).alias(name) for name in ("n", "weight", "decayed", "hiding")]
    rows = tonight.unionByName(old).groupBy("user_id", "item_id", "daypart", "region")
    return rows.agg(*sums, F.max("last_at").alias("last_at")).withColumn("night", F.lit(night))


def decayed_at(moment: dt.datetime, settings: Settings) -> Column:
    """The column `decayed` of table `counts`, brought from the end of its row's night to a moment."""
    age_s = F.lit(moment.timestamp()) - F.unix_seconds(day_end(F.col("night"), settings.night.time_zone))
    return F.col("decayed") * decay(age_s, settings.interest.half_life_long_days)


def transitions(sessions: DataFrame, open_sessions: DataFrame | None, night: dt.date) -> DataFrame:
    """By how much tonight changed the times that one item followed another in a session: table `transitions`.

    A succession is a pair of neighbouring items in a session once the steps without an item are left out; an item
    that follows itself counts. `n` is the number in tonight's rows less the number in the rows that they replace, so
    the sum over nights always equals the count over the sessions as they stand: when a late event X lands between A
    and B, the night adds A to X and X to B, and takes back A to B with n = -1. Pairs that did not change have no row.

    Args:
        sessions: what `chronotope.sessions.sessions` gave tonight.
        open_sessions: the same frame that it was given.
        night: what the rows are written under.

    """
    change = successions(sessions).withColumn("n", F.lit(1))
    if open_sessions is not None:
        rewritten = sessions.select(F.col("session_key").alias("rewritten_key"))
        replaced = open_sessions.join(rewritten, F.col("session_key") == F.col("rewritten_key"), "left_semi")
        change = change.unionByName(successions(replaced).withColumn("n", F.lit(-1)))
    return TRANSITIONS.conform(
        change.groupBy("user_id", "from_item_id", "item_id")
        .agg(F.sum("n").alias("n"))
        .where(F.col("n") != 0)
        .withColumn("night", F.lit(night))
    )


def successions(sessions: DataFrame) -> DataFrame:
    """One row per pair of neighbouring items in a session: user_id, from_item_id, item_id."""
    # Fields of the array, not lambdas over its structs: of the steps only the items are then read from the files.
    items = F.array_compact(F.col("steps.item_id"))
    pairs = F.arrays_zip(items, F.slice(items, 2, F.size(items)))
    found = sessions.select("user_id", F.inline(pairs)).toDF("user_id", "from_item_id", "item_id")
    # The last item of a session has no successor: arrays_zip pads it with null.
    return found.dropna(subset="item_id")
