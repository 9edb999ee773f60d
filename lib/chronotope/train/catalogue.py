"""The catalogue of a model: the items met before its cut, and what was counted about them.

Letters: N items, E size of a text embedding.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy import sparse

from chronotope.config import Settings
from chronotope.errors import DataError
from chronotope.slots import daypart_names, daypart_of
from chronotope.train.histories import item_steps
from chronotope.train.scoring import MOST_FOLLOWERS, TRENDING_DAYS, Catalogue, Floats, Ints


def catalogue_of(
    items: DataFrame, embeddings: DataFrame, sessions: DataFrame, settings: Settings, cut: dt.datetime
) -> Catalogue:
    """The catalogue of the items that were met before the cut; nothing from the cut on is counted.

    What comes to the driver is catalogue-sized: one row per item, one per (item, region, daypart), and at most
    `MOST_FOLLOWERS` per item.

    Args:
        items: current rows of the table `items`; an item that was met but is not there has no text and no place.
        embeddings: rows of the table `item_embeddings` of one encoder.
        sessions: current rows of the table `sessions`.
        settings: dayparts and actions are taken from them.
        cut: the first moment (UTC) that is not known.

    Raises:
        DataError: when no item was met before the cut.

    """
    steps = item_steps(sessions).where(F.col("occurred_at") < F.lit(cut))
    popular = popularity_counts(steps, settings, cut).toPandas()
    if popular.empty:
        raise DataError(f"no event on an item before {cut:%Y-%m-%d %H:%M}: begin with a later night, or an earlier log")
    item_ids = sorted(popular["item_id"].unique())
    described = describe(items, embeddings, steps).toPandas().set_index("item_id").reindex(item_ids)
    dayparts = list(settings.night.dayparts)
    regions = sorted({*popular["region"].dropna(), *described["region"].dropna()})
    names = daypart_names(settings.night.dayparts)
    return Catalogue(
        item_ids=item_ids,
        categories=described["category"].fillna("").tolist(),
        languages=described["language"].fillna("").tolist(),
        lat=described["lat"].to_numpy(np.float64),
        lon=described["lon"].to_numpy(np.float64),
        region=pd.Index(regions, dtype=object).get_indexer(pd.Index(described["region"])),
        embedding=stacked(described["embedding"]),
        gone=described["gone"].eq(True).to_numpy(),  # false, too, for items that are not described
        regions=regions,
        actions=sorted(settings.ingest.actions),
        dayparts=dayparts,
        daypart_of_slot=np.array([dayparts.index(name) for name in names], dtype=np.int64),
        popularity=popularity_matrix(popular, item_ids, regions, dayparts),
        transitions=transition_matrix(transition_counts(steps).toPandas(), item_ids),
        visitors=visitor_counts(steps).toPandas().set_index("item_id")["n"].loc[item_ids].to_numpy(np.float32),
        trending=popular.groupby("item_id")["trending"].sum().loc[item_ids].to_numpy(np.float32),
    )


def popularity_counts(steps: DataFrame, settings: Settings, cut: dt.datetime) -> DataFrame:
    """Events per item, region (null where unknown) and daypart: item_id, region, daypart, n, trending.

    `trending` is their sum with `2^(-age / TRENDING_DAYS)`, age being days before the cut.
    """
    daypart = daypart_of(F.col("slot"), settings.night.dayparts).alias("daypart")
    age_days = (F.unix_micros(F.lit(cut)) - F.unix_micros("occurred_at")) / (1e6 * 86_400)
    weight = F.pow(F.lit(2.0), -age_days / TRENDING_DAYS)
    return steps.groupBy("item_id", "region", daypart).agg(F.count("*").alias("n"), F.sum(weight).alias("trending"))


def visitor_counts(steps: DataFrame) -> DataFrame:
    """Users who met each item: item_id, n."""
    return steps.select("item_id", "user_id").distinct().groupBy("item_id").agg(F.count("*").alias("n"))


def transition_counts(steps: DataFrame) -> DataFrame:
    """How often an item followed another at once in a session: from_item_id, item_id, n; the likeliest followers only.

    Ties by item_id; an item may follow itself.
    """
    in_session = Window.partitionBy("user_id", "session_key").orderBy("occurred_at", "event_id")
    likeliest = Window.partitionBy("from_item_id").orderBy(F.desc("n"), "item_id")
    pairs = steps.select(F.lag("item_id").over(in_session).alias("from_item_id"), "item_id")
    return (
        pairs.where(F.col("from_item_id").isNotNull())
        .groupBy("from_item_id", "item_id")
        .agg(F.count("*").alias("n"))
        .withColumn("rank", F.row_number().over(likeliest))
        .where(F.col("rank") <= MOST_FOLLOWERS)
        .drop("rank")
    )


def describe(items: DataFrame, embeddings: DataFrame, steps: DataFrame) -> DataFrame:
    """The items met in the steps: id, category, language, lat, lon, region, gone, embedding (null without text)."""
    gone = F.coalesce(~F.col("available"), F.lit(False)).alias("gone")
    known = items.select("item_id", "category", "language", "lat", "lon", "region", gone, "text_digest")
    vectors = embeddings.select("text_digest", "embedding")
    met = steps.select("item_id").distinct()
    return known.join(met, "item_id", "left_semi").join(vectors, "text_digest", "left").drop("text_digest")


def stacked(vectors: pd.Series[Any]) -> Floats:
    """The vectors of a column as [N, E], zeros where one is missing; E is 1 when all are."""
    there = vectors.notna().to_numpy()
    size = len(vectors[there].iloc[0]) if there.any() else 1
    matrix = np.zeros((len(vectors), size), dtype=np.float32)
    if there.any():
        matrix[there] = np.stack(vectors[there].to_list()).astype(np.float32)
    return matrix


def popularity_matrix(
    counts: pd.DataFrame, item_ids: list[str], regions: list[str], dayparts: list[str]
) -> sparse.csr_matrix:
    """Counts as [(1 + regions) * dayparts, N]; the first `dayparts` rows count every region, known or not."""
    column = positions(counts["item_id"], item_ids)
    region, daypart = positions(counts["region"], regions), positions(counts["daypart"], dayparts)
    named = region >= 0
    rows = np.concatenate([daypart, (1 + region[named]) * len(dayparts) + daypart[named]])
    columns = np.concatenate([column, column[named]])
    n = np.concatenate([counts["n"].to_numpy(), counts["n"].to_numpy()[named]]).astype(np.float32)
    return sparse.csr_matrix((n, (rows, columns)), shape=((1 + len(regions)) * len(dayparts), len(item_ids)))


def transition_matrix(counts: pd.DataFrame, item_ids: list[str]) -> sparse.csr_matrix:
    """Counts as [N, N]: row the item before, column the item after."""
    rows, columns = positions(counts["from_item_id"], item_ids), positions(counts["item_id"], item_ids)
    n = counts["n"].to_numpy(np.float32)
    return sparse.csr_matrix((n, (rows, columns)), shape=(len(item_ids), len(item_ids)))


def positions(names: pd.Series[Any], known: list[str]) -> Ints:
    """The index of each name among the known ones, -1 for others and for null.

    >>> positions(pd.Series(["b", None, "z"]), ["a", "b"]).tolist()
    [1, -1, -1]
    """
    found: npt.NDArray[np.int64] = pd.Index(known, dtype=object).get_indexer(pd.Index(names, dtype=object))
    return found.astype(np.int64)
