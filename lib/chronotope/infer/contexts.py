"""When and where each user is likely to be: P(daypart, region | user) from counts."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F

from chronotope.config import Settings

PRIOR_EVENTS = 5.0  # events of everybody's week that are mixed into each user's own
ROUND_DIGITS = 9  # sums differ in their last bits between partitionings: ranks must not


def contexts(counts: DataFrame, settings: Settings, as_of: dt.datetime) -> DataFrame:
    """The likeliest contexts of every user: user_id, daypart, region, context_probability.

    `P(d, r | u) ~ c(u, d, r) + PRIOR_EVENTS * P(r | u) * P(d | r)`, over all dayparts d and the user's
    `recommend.max_regions` regions r with the largest c(u, r) (ties by region); of these the `recommend.max_contexts`
    likeliest are kept (ties by daypart, then region), and add up to 1. c are events decayed with
    `interest.half_life_long_days` since they were last repeated. `P(d | r)` is everybody's, with one event more in
    each daypart, so that no context is impossible; a region "" stands for events without one.

    Args:
        counts: rows of the table `counts`, of any number of nights.
        settings: sections night, interest, recommend.
        as_of: the moment (UTC) that events are aged to; counts that were last repeated after it do not age.

    """
    age_days = F.greatest(F.unix_seconds(F.lit(as_of)) - F.unix_seconds("last_at"), F.lit(0)) / F.lit(86_400.0)
    decayed = F.col("n") * F.pow(F.lit(2.0), -age_days / F.lit(settings.interest.half_life_long_days))
    own = counts.groupBy("user_id", "region", "daypart").agg(F.sum(decayed).alias("c"))
    dayparts = F.array(*[F.lit(name) for name in settings.night.dayparts])
    asked = likely_regions(own, settings.recommend.max_regions).withColumn("daypart", F.explode(dayparts))
    joined = asked.join(own, ["user_id", "region", "daypart"], "left").join(
        everybody(own, len(settings.night.dayparts)), ["region", "daypart"], "left"
    )
    prior = F.coalesce("p_daypart", F.lit(1.0) / (F.col("region_events") + len(settings.night.dayparts)))
    p = F.coalesce("c", F.lit(0.0)) + F.lit(PRIOR_EVENTS) * F.col("p_region") * prior
    return likeliest(joined.withColumn("p", p), settings.recommend.max_contexts)


def likely_regions(own: DataFrame, max_regions: int) -> DataFrame:
    """Each user's regions with the most decayed events: user_id, region, p_region, region_events (of everybody)."""
    user = Window.partitionBy("user_id")
    regions = own.groupBy("user_id", "region").agg(F.sum("c").alias("c"))
    everywhere = own.groupBy("region").agg(F.sum("c").alias("region_events"))
    ranked = regions.withColumn("p_region", share("c", user)).withColumn(
        "place", F.row_number().over(user.orderBy(F.desc(F.round("p_region", ROUND_DIGITS)), "region"))
    )
    return ranked.where(F.col("place") <= max_regions).drop("c", "place").join(everywhere, "region")


def everybody(own: DataFrame, n_dayparts: int) -> DataFrame:
    """When everybody is in a region: region, daypart, p_daypart; a daypart in which nobody was there has no row."""
    region = Window.partitionBy("region")
    events = own.groupBy("region", "daypart").agg(F.sum("c").alias("c"))
    p = (F.col("c") + 1) / (F.sum("c").over(region) + n_dayparts)
    return events.select("region", "daypart", p.alias("p_daypart"))


def likeliest(weighed: DataFrame, max_contexts: int) -> DataFrame:
    """The contexts with the largest p of each user, as probabilities that add up to 1."""
    user = Window.partitionBy("user_id")
    order = user.orderBy(F.desc(F.round(share("p", user), ROUND_DIGITS)), "daypart", "region")
    kept = weighed.withColumn("place", F.row_number().over(order)).where(F.col("place") <= max_contexts)
    return kept.select("user_id", "daypart", "region", share("p", user).alias("context_probability"))


def share(column: str, window: WindowSpec) -> Column:
    """A column over its sum in the window."""
    return F.col(column) / F.sum(column).over(window)
