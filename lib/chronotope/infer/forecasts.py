"""What is expected of each user: P(topic | user, daypart, region), the table `forecasts`.

Letters: B users, Q contexts of all of them, N items, T topics, K topics named in a context.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy import sparse

from chronotope.config import Settings
from chronotope.infer.contexts import contexts
from chronotope.infer.states import at_the_end
from chronotope.infer.workers import on_worker, to_workers
from chronotope.slots import Moment, next_moments
from chronotope.tables.states import FORECASTS
from chronotope.train.batches import by_length, users_of
from chronotope.train.scoring import MOST_QUERIES, Catalogue, Doubles, Queries, Scorer, Users, probabilities

MAX_TOPICS = 20  # named per context: Foursquare's 250 categories would be 6.5 million rows, nearly all of them near 0
OTHER = "other"  # the topic that holds the rest
MAX_SCORES = 2**22  # contexts x items in memory at a time: 16 MiB in fp32, and four times that for probabilities
ROUND_DIGITS = 9  # scores differ in their last bits between batches: ranks must not
ASKED_AS = {"asked_daypart": "daypart", "asked_region": "region", "asked_probability": "context_probability"}
ASKED = list(ASKED_AS)
SCHEMA = (
    "user_id string, daypart string, region string, topic string, probability double, context_probability double, "
    "model string"
)


@dataclass(frozen=True)
class Forecaster:
    """What a worker needs beside the model."""

    topics: Sequence[str]  # N, the topic of each item
    moments: Mapping[str, Moment]  # daypart to the moment that stands for it
    batch_users: int


def forecasts(
    histories: DataFrame,
    counts: DataFrame,
    usual: DataFrame,
    topics: Sequence[str],
    load_scorer: Callable[[], Scorer],
    settings: Settings,
    night_end: dt.datetime,
    night: dt.date,
) -> DataFrame:
    """The rows of the table `forecasts`: for every user of both inputs, their likeliest contexts (see `contexts`).

    `P(topic | user, daypart, region)` is the sum of the `probabilities` of the topic's items. A context names its
    `MAX_TOPICS` likeliest topics (ties by name) and puts the rest under `other`, so that it adds up to 1; a topic that
    is itself called `other` is part of the rest. One moment stands for the daypart, see
    `chronotope.slots.next_moments`.

    Args:
        histories: rows of `chronotope.train.histories.histories`.
        counts: rows of the table `counts` that stand for these users.
        usual: see `contexts`.
        topics: of the model's items, from `chronotope.infer.topics.topics_of`.
        load_scorer: loads the model, once per Python worker; it is pickled, and must not hold the model itself.
        settings: sections night, interest, infer, recommend.
        night_end: the moment that the forecast is made at, with a time zone.
        night: the partition.

    """
    context = F.struct("daypart", "region", "context_probability")
    likely = contexts(counts, usual, settings, night_end)
    asked = likely.groupBy("user_id").agg(F.sort_array(F.collect_list(context)).alias("contexts"))
    users = histories.join(asked, "user_id")
    users = users.drop("event_id").select(
        "*", *[F.col(f"contexts.{name}").alias(column) for column, name in ASKED_AS.items()]
    )
    users = users.drop("contexts")
    moments = next_moments(settings.night.dayparts, night_end, settings.night.time_zone)
    forecaster = Forecaster(list(topics), moments, settings.infer.batch_users)
    rows = users.mapInPandas(functools.partial(forecasts_of, to_workers(load_scorer), forecaster), SCHEMA)
    return FORECASTS.conform(rows.withColumn("night", F.lit(night)))


def forecasts_of(load: bytes, forecaster: Forecaster, frames: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The forecasts of all rows of the frames, users of similar length side by side; for `mapInPandas`."""
    scorer = on_worker(load)
    names, members = topic_matrix(forecaster.topics)
    step = max(1, min(MOST_QUERIES, MAX_SCORES // len(scorer.catalogue.item_ids)))
    for frame in by_length(frames, forecaster.batch_users):
        users = users_of(frame, scorer.catalogue)
        states = scorer.encode(users, at_the_end(users))
        every = frame[ASKED].assign(user=np.arange(len(frame))).explode(ASKED, ignore_index=True)
        for start in range(0, len(every), step):
            asked = every.iloc[start : start + step]
            queries = queries_of(asked, users, scorer.catalogue, forecaster)
            scores = scorer.score(states[queries.user], users, queries)
            rows = named(probabilities(scores, scorer.smoothing) @ members, names)
            context = asked.iloc[rows.pop("context")].rename(columns=ASKED_AS).reset_index(drop=True)
            rows["user_id"] = np.array(users.user_ids, dtype=object)[context.pop("user")]
            yield pd.concat([rows, context], axis=1).assign(model=scorer.model_id)


def queries_of(asked: pd.DataFrame, users: Users, catalogue: Catalogue, forecaster: Forecaster) -> Queries:
    """One query per context: the whole history is known, the step just before the context is not."""
    user = asked["user"].to_numpy(np.int64)
    regions = pd.Index(asked["asked_region"], dtype=object)
    moments = [forecaster.moments[name] for name in asked["asked_daypart"]]
    return Queries(
        user=user,
        known_steps=users.length[user],
        at_s=np.array([moment.at_s for moment in moments], dtype=np.float64),
        slot=np.array([moment.slot for moment in moments], dtype=np.int64),
        region=catalogue.region_index.get_indexer(regions).astype(np.int64),
        previous_known=np.zeros(len(user), dtype=bool),
    )


def topic_matrix(topics: Sequence[str]) -> tuple[list[str], sparse.csr_matrix]:
    """The distinct topics, sorted, and which items are of them, [N, T]."""
    names, topic = np.unique(np.array(topics, dtype=object), return_inverse=True)
    items = np.arange(len(topics))
    return names.tolist(), sparse.csr_matrix((np.ones(len(items)), (items, topic)), shape=(len(items), len(names)))


def named(probability: Doubles, names: list[str]) -> pd.DataFrame:
    """The likeliest topics of each context [Q, T] and the rest, as rows: context (its number), topic, probability."""
    sought = np.array([name != OTHER for name in names])
    # A stable sort keeps the topics' own order, by name, among equals; the rest goes last and is cut off.
    order = np.argsort(-np.where(sought, probability.round(ROUND_DIGITS), -1.0), axis=1, kind="stable")
    order = order[:, : min(MAX_TOPICS, sought.sum())]
    chosen = np.take_along_axis(probability, order, axis=1)  # [Q, K]
    rest = np.maximum(1.0 - chosen.sum(axis=1), 0.0)
    context = np.repeat(np.arange(len(order)), order.shape[1])
    rows = pd.DataFrame(
        {"context": context, "topic": np.array(names, dtype=object)[order.ravel()], "probability": chosen.ravel()}
    )
    if order.shape[1] == len(names):
        return rows
    others = pd.DataFrame({"context": np.arange(len(order)), "topic": OTHER, "probability": rest})
    return pd.concat([rows, others], ignore_index=True)
