"""The models of a night: which are due, the tuned count model, and what stands on the held-out tail."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.errors import DataError
from chronotope.evaluate.gate import Decision
from chronotope.evaluate.metrics import reciprocal_rank
from chronotope.infer.workers import load_scorer
from chronotope.tables.runs import MODELS
from chronotope.train.batches import users_of
from chronotope.train.blend import KINDS, START, Weights, yardsticks
from chronotope.train.catalogue import catalogue_of
from chronotope.train.examples import before
from chronotope.train.scoring import Catalogue, Scorer
from chronotope.train.tuning import last_queries, tune

TUNING_USERS = 1000  # histories that the count model's weights are tuned on: their sample has 500 queries


@dataclass(frozen=True)
class Contest:
    """When the night's models must stop knowing, and which of them there are."""

    cut: dt.datetime  # the tail is from here to the night's end
    tuning_from: dt.datetime  # the days before the cut that models may be validated and tuned on
    new: str | None  # the space-time model to be trained tonight; None when none is due
    recent: str | None  # the model that made last night's tables
    recent_path: str | None
    counts: str


def contest(
    models: DataFrame, settings: Settings, night_end: dt.datetime, night: dt.date, has_history: bool
) -> Contest:
    """What the night's models are.

    A space-time model is trained unless nothing happened before the days to tune on: there is nothing to learn from.

    Args:
        models: rows of the table `models` of the refresh nights before; a handful each, so they are collected.
        settings: section train, and all of them for the models' names.
        night_end: the end of the tail.
        night: gives the models their names.
        has_history: whether anything happened before the days that models are validated and tuned on.

    """
    rows = models.select("model_id", "chosen", "path", "night").orderBy("night").collect()
    chosen = [row for row in rows if row["chosen"]]
    tail = dt.timedelta(days=settings.train.tail_days)
    return Contest(
        cut=night_end - tail,
        tuning_from=night_end - 2 * tail,
        new=f"space_time-{night}-{settings.digest()}" if has_history else None,
        recent=chosen[-1]["model_id"] if chosen else None,
        recent_path=chosen[-1]["path"] if chosen else None,
        counts=f"counts-{night}-{settings.digest()}",
    )


def tuning_sample(histories: DataFrame) -> pd.DataFrame:
    """At most `TUNING_USERS` histories, the same ones whatever else is in the log: those with the lowest hashes."""
    return histories.orderBy(F.xxhash64("user_id"), "user_id").limit(TUNING_USERS).toPandas()


def known_catalogue(
    items: DataFrame, embeddings: DataFrame, sessions: DataFrame, settings: Settings, cut: dt.datetime
) -> Catalogue | None:
    """As `catalogue_of`; None where nothing happened before the cut."""
    try:
        return catalogue_of(items, embeddings, sessions, settings, cut)
    except DataError:
        return None


def tuned(sample: pd.DataFrame, catalogue: Catalogue | None, of: Contest, settings: Settings) -> Mapping[str, Weights]:
    """The weights of the count model, tuned on the days before the cut; the usual ones where there were none.

    Args:
        sample: what `tuning_sample` gave.
        catalogue: what was counted before `of.tuning_from`; None when that is nothing.
        of: the night's contest.
        settings: section night, and whether people come back to items.

    """
    if catalogue is None:
        return dict.fromkeys(KINDS, START)
    users = before(users_of(sample, catalogue), of.cut.timestamp())
    night = settings.night
    queries, truths = last_queries(users, of.tuning_from.timestamp(), night.time_zone, night.seed)
    repeats = settings.train.repeats
    return tune(catalogue, users, queries, truths, night.seed, of.counts, repeats).weights


def contestants(folders: Sequence[Path], device: Literal["auto", "cpu", "cuda"]) -> list[Scorer]:
    """The models in the folders, and the yardsticks over the catalogue of the first; for the Python workers.

    `device` is setting infer.device.
    """
    models = [load_scorer(folder, device, 1) for folder in folders]
    return [*models, *yardsticks(models[0].catalogue)]


def model_rows(
    ranks: DataFrame, kinds: Mapping[str, str], decision: Decision, path: str, settings: Settings, night: dt.date
) -> DataFrame:
    """Rows of the table `models`: one per model of the contest, with its mean reciprocal ranks on the tail.

    Args:
        ranks: the night's rows of `ranks`.
        kinds: model_id to kind, of every model of the contest.
        decision: the gate's.
        path: where the model that publishes is kept.
        settings: section train is written down.
        night: the partition.

    """
    reciprocal = F.coalesce(reciprocal_rank(F.col("rank"), F.col("n_candidates")), F.lit(0.0))
    mean = ranks.groupBy("model", "protocol").agg(F.avg(reciprocal).alias("mrr")).collect()
    rows: list[tuple[Any, ...]] = []
    for model_id, kind in kinds.items():
        metrics = {f"{row['protocol']}.mrr": row["mrr"] for row in mean if row["model"] == model_id}
        chosen = model_id == decision.model_id
        where = path if chosen else f"_models/{model_id}"
        train = json.dumps(settings.train.model_dump(), sort_keys=True)
        rows.append((model_id, kind, train, metrics, where, chosen, decision.reason, night))
    return MODELS.conform(ranks.sparkSession.createDataFrame(rows, MODELS.schema()))


def moved(models: DataFrame, path: str) -> DataFrame:
    """Rows of table `models` of one night for another folder of tables: the chosen model's files are at `path`."""
    return models.withColumn("path", F.when(F.col("chosen"), F.lit(path)).otherwise(F.col("path")))
