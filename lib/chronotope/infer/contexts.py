"""When and where each user is likely to be: P(daypart, region | user) from counts."""

from __future__ import annotations

import datetime as dt

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession, Window, WindowSpec
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.sessions.memory import decayed_at
from chronotope.train.scoring import Catalogue

PRIOR_EVENTS = 5.0  # events of everybody's week that are mixed into each user's own
ROUND_DIGITS = 9  # sums differ in their last bits between partitionings: ranks must not


def contexts(counts: DataFrame, usual: DataFrame, settings: Settings, as_of: dt.datetime) -> DataFrame:
    """The likeliest contexts of every user: user_id, daypart, region, context_probability.

    `P(d, r | u) ~ c(u, d, r) + PRIOR_EVENTS * P(r | u) * P(d | r)`, over all dayparts d and the user's
    `recommend.max_regions` regions r with the largest c(u, r) (ties by region); of these the `recommend.max_contexts`
    likeliest are kept (ties by daypart, then region), and add up to 1. c are events decayed with
    `interest.half_life_long_days`. `P(d | r)` is everybody's (`usual_dayparts`), equal shares where nobody is known to
    have been; a region "" stands for events without one.

    Args:
        counts: rows of the table `counts` that stand for some users.
        usual: what `usual_dayparts` gave.
        settings: sections night, interest, recommend.
        as_of: the moment (UTC) that events are aged to.

    """
    own = counts.groupBy("user_id", "region", "daypart").agg(F.sum(decayed_at(as_of, settings)).alias("c"))
    dayparts = [F.lit(name) for name in settings.night.dayparts]
    asked = likely_regions(own, settings.recommend.max_regions)
    asked = asked.withColumn("daypart", F.explode(F.array(*dayparts)))
    joined = asked.join(own, ["user_id", "region", "daypart"], "left").join(
        F.broadcast(usual), ["region", "daypart"], "left"
    )
    prior = F.col("p_region") * F.coalesce("p_daypart", F.lit(1.0 / len(dayparts)))
    p = F.coalesce("c", F.lit(0.0)) + F.lit(PRIOR_EVENTS) * prior
    return likeliest(joined.withColumn("p", p), settings.recommend.max_contexts)


def usual_dayparts(spark: SparkSession, catalogue: Catalogue) -> DataFrame:
    """When everybody is in a region, as the model's catalogue counted: region, daypart, p_daypart.

    `P(d | r) = (events in r and d + 1) / (events in r + dayparts)`: no daypart is impossible. Region "" counts all
    events, with and without a region.
    """
    n_dayparts = len(catalogue.dayparts)
    n = np.asarray(catalogue.popularity.sum(axis=1), dtype=np.float64).reshape(
        -1, n_dayparts
    )  # [1 + regions, dayparts]
    p = (n + 1) / (n.sum(axis=1, keepdims=True) + n_dayparts)
    rows = [
        (region, daypart, share)
        for region, shares in zip(["", *catalogue.regions], p.tolist(), strict=True)
        for daypart, share in zip(catalogue.dayparts, shares, strict=True)
    ]
    return spark.createDataFrame(rows, "region string, daypart string, p_daypart double")


def likely_regions(own: DataFrame, max_regions: int) -> DataFrame:
    """Each user's regions with the most decayed events: user_id, region, p_region."""
    user = Window.partitionBy("user_id")
    regions = own.groupBy("user_id", "region").agg(F.sum("c").alias("c"))
    ranked = regions.withColumn("p_region", share("c", user)).withColumn(
        "place", F.row_number().over(user.orderBy(F.desc(F.round("p_region", ROUND_DIGITS)), "region"))
    )
    return ranked.where(F.col("place") <= max_regions).drop("c", "place")


def likeliest(weighed: DataFrame, max_contexts: int) -> DataFrame:
    """The contexts with the largest p of each user, as probabilities that add up to 1."""
    user = Window.partitionBy("user_id")
    order = user.orderBy(F.desc(F.round(share("p", user), ROUND_DIGITS)), "daypart", "region")
    kept = weighed.withColumn("place", F.row_number().over(order)).where(F.col("place") <= max_contexts)
    return kept.select("user_id", "daypart", "region", share("p", user).alias("context_probability"))


def share(column: str, window: WindowSpec) -> Column:
    """A column over its sum in the window; equal shares where that is zero, of events from too many half-lives ago."""
    even = 1 / F.count(column).over(window)
    return F.coalesce(F.try_divide(column, F.sum(column).over(window)), even)
