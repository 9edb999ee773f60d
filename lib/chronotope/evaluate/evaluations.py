"""The table `evaluations`: every metric of every scorer, under every protocol, over every slice."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import EvaluateSettings
from chronotope.evaluate.breadth import breadth
from chronotope.evaluate.lists import per_list
from chronotope.evaluate.means import means, standard_errors
from chronotope.evaluate.metrics import per_query
from chronotope.tables.runs import EVALUATIONS

SLICED_BY = ("user_kind", "distance_kind", "language")
SHOWN_METRICS = ("accuracy@1", "accuracy@5", "accuracy@10", "ndcg@10", "mrr", "coverage@10", "novelty@10")


def evaluate_tail(ranks: DataFrame, popularity: DataFrame, settings: EvaluateSettings, night: dt.date) -> DataFrame:
    """Table `evaluations` from table `ranks`: all metrics, models, protocols and slices in one Spark job.

    Slices are `all` and one for each value of user_kind, distance_kind and language.

    Args:
        ranks: rows of one night; of yardsticks as of models. It is read twice, so pass what was written.
        popularity: item_id, n events, as `chronotope.evaluate.breadth.popularity_of` gives it.
        settings: list lengths and confidence.
        night: what the rows are written under.

    """
    slices = F.array(F.lit("all"), *[F.concat(F.lit(f"{name}="), name) for name in SLICED_BY])
    frame = ranks.withColumn("slices", slices)
    found = means(frame, per_query(settings.ks), standard_errors(settings.confidence))
    return as_table(found.unionByName(breadth(frame, settings.ks, popularity)), night)


def evaluate_published(
    feedback: DataFrame, popularity: DataFrame, settings: EvaluateSettings, night: dt.date
) -> DataFrame:
    """Table `evaluations`, protocol `published`, from table `feedback`: what last night's lists were worth.

    Each user and context with events since is one row of every mean, users without a list included. Slices are
    `all` and one for each daypart. Candidates are the items of `popularity`; those not met before count as well. It
    is the popularity of the model that made the lists: that of a later one would know the events that came since.

    Args:
        feedback: rows of one night.
        popularity: item_id, n events.
        settings: list lengths and confidence.
        night: what the rows are written under.

    """
    catalogue = popularity.agg(F.count("*").alias("n_candidates"))
    frame = (
        feedback.crossJoin(F.broadcast(catalogue))
        .withColumn("protocol", F.lit("published"))
        .withColumn("slices", F.array(F.lit("all"), F.concat(F.lit("daypart="), "daypart")))
        .withColumn("top", F.col("shown"))
    )
    found = means(frame, per_list(settings.ks), standard_errors(settings.confidence))
    return as_table(found.unionByName(breadth(frame, settings.ks, popularity)), night)


def as_table(found: DataFrame, night: dt.date) -> DataFrame:
    """Metrics as rows of `evaluations`."""
    return EVALUATIONS.conform(found.withColumn("n", F.col("n").cast("bigint")).withColumn("night", F.lit(night)))


def summary(evaluations: DataFrame, protocol: str = "tail_morning", of_slice: str = "all") -> list[dict[str, Any]]:
    """One row per model for people, best mean reciprocal rank first: model, n and the `SHOWN_METRICS` there are.

    Args:
        evaluations: rows of one night.
        protocol: under which the models are compared.
        of_slice: over which.

    """
    chosen = (F.col("protocol") == protocol) & (F.col("slice") == of_slice)
    rows: dict[str, dict[str, Any]] = {}
    for row in evaluations.where(chosen & F.col("metric").isin(*SHOWN_METRICS)).collect():
        of_model = rows.setdefault(row["model"], {"model": row["model"]})
        of_model[row["metric"]] = row["value"]
        if row["metric"] == "mrr":
            of_model["n"] = row["n"]
    return sorted(rows.values(), key=lambda row: (-(row.get("mrr") or 0.0), row["model"]))
