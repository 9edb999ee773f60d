"""From metrics per query to their means with intervals, per model, protocol and slice, in one Spark pass."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

GROUP = ("model", "protocol", "slice")


def means(frame: DataFrame, metrics: Mapping[str, Column], z: float, bounded: bool = True) -> DataFrame:
    """The mean of each metric over the rows of each group, with an interval: GROUP, metric, value, low, high, n.

    A row counts once in each of its slices. Queries of one user are alike, so the interval is that of a mean of
    clusters: with S_u the sum and n_u the number of rows of user u, N rows and U users,

        value = sum S_u / N,    se^2 = U / (U - 1) * sum (S_u - n_u * value)^2 / N^2,    value -+ z * se

    (Liang and Zeger, "Longitudinal data analysis using generalized linear models", Biometrika 73 (1986); Cameron and
    Miller, "A practitioner's guide to cluster-robust inference", J. Human Resources 50 (2015), section II). One user
    tells nothing about others: low and high are null.

    Args:
        frame: model, protocol, user_id, `slices` (array of string), and what the metrics read.
        metrics: name to an expression that is never null.
        z: standard errors on either side, see `standard_errors`.
        bounded: whether the metrics, and so the intervals, lie between 0 and 1.

    """
    # Positions stand for names: a name such as ndcg@10 would need quoting in every expression.
    at = [f"m{position}" for position in range(len(metrics))]
    rows = frame.select(
        "model",
        "protocol",
        "user_id",
        F.explode("slices").alias("slice"),
        *[metric.alias(name) for name, metric in zip(at, metrics.values(), strict=True)],
    )
    per_user = rows.groupBy(*GROUP, "user_id").agg(F.count("*").alias("n"), *[F.sum(name).alias(name) for name in at])
    totals = per_user.groupBy(*GROUP).agg(
        F.count("*").alias("users"),
        F.sum("n").alias("n"),
        F.sum(F.col("n") * F.col("n")).alias("nn"),
        F.array(*[moments(name, metric) for name, metric in zip(at, metrics, strict=True)]).alias("metrics"),
    )
    return with_interval(totals.select(*GROUP, "users", "n", "nn", F.explode("metrics").alias("of")), z, bounded)


def moments(name: str, metric: str) -> Column:
    """The sums over users that a mean and its standard error need."""
    total = F.col(name)
    return F.struct(
        F.lit(metric).alias("metric"),
        F.sum(total).alias("s"),
        F.sum(total * total).alias("ss"),
        F.sum(total * F.col("n")).alias("sn"),
    )


def with_interval(totals: DataFrame, z: float, bounded: bool) -> DataFrame:
    """Value and interval from the sums."""
    n, users, value = F.col("n"), F.col("users"), F.col("value")
    # Written out, the sum of squares may fall below zero by a rounding error where all users are equal.
    squares = F.greatest(F.col("of.ss") - 2 * value * F.col("of.sn") + value * value * F.col("nn"), F.lit(0.0))
    error = F.when(users > 1, z * F.sqrt(users / (users - 1) * squares) / n)
    low, high = value - error, value + error
    if bounded:
        # greatest and least skip nulls, but an interval that is not known stays so.
        low = F.when(error.isNotNull(), F.greatest(low, F.lit(0.0)))
        high = F.when(error.isNotNull(), F.least(high, F.lit(1.0)))
    return totals.withColumn("value", F.col("of.s") / n).select(
        *GROUP, F.col("of.metric").alias("metric"), "value", low.alias("low"), high.alias("high"), "n"
    )


def standard_errors(confidence: float) -> float:
    """How many standard errors on either side cover a normal variable with the given confidence.

    >>> round(standard_errors(0.95), 2)
    1.96
    """
    return NormalDist().inv_cdf(0.5 + confidence / 2)
