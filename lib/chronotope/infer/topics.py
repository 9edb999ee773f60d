"""Topics: what kinds of items there are, by category or by nearness of their texts.

Letters: N items, E size of a text embedding, K clusters.
"""

from __future__ import annotations

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from chronotope.train.scoring import Catalogue, Floats, Ints

ITERATIONS = 25  # of k-means; assignments of a catalogue hardly move after a dozen
NO_TEXT = "unknown"  # topic of items with neither category nor text


def topics_of(catalogue: Catalogue, n_topics: int, seed: int) -> list[str]:
    """The topic of every item: its category, else `cluster <number>` of its text, else `unknown`; N names.

    The texts without category are put into at most `n_topics` clusters, numbered from 1 with the largest first
    (ties by the first item in them).
    """
    topics = np.array([category or NO_TEXT for category in catalogue.categories], dtype=object)
    bare = np.array([not category for category in catalogue.categories], dtype=bool)
    rows = np.flatnonzero(bare & (catalogue.embedding != 0).any(axis=1))
    if len(rows):
        cluster = by_size(spherical_k_means(catalogue.embedding[rows], n_topics, seed))
        topics[rows] = [f"cluster {number + 1}" for number in cluster]
    names: list[str] = topics.tolist()
    return names


def topic_frame(spark: SparkSession, catalogue: Catalogue, n_topics: int, seed: int) -> DataFrame:
    """The topic of every item, as rows: item_id, topic."""
    rows = list(zip(catalogue.item_ids, topics_of(catalogue, n_topics, seed), strict=True))
    return spark.createDataFrame(rows, "item_id string, topic string")


def spherical_k_means(vectors: Floats, k: int, seed: int) -> Ints:
    """The cluster of each unit vector [N], by cosine; at most k clusters, some may be empty.

    Dhillon and Modha, "Concept decompositions for large sparse text data", Machine Learning 42 (2001), section 3.
    Centres start at vectors drawn far from one another (k-means++: Arthur and Vassilvitskii, SODA 2007).
    """
    centres = far_apart(vectors, k, np.random.default_rng(seed))
    nearest: Ints = np.argmax(vectors @ centres.T, axis=1)
    for _ in range(ITERATIONS):
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, vectors)
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(length > 0, sums / np.maximum(length, 1e-12), centres)
        moved = np.argmax(vectors @ centres.T, axis=1)
        if (moved == nearest).all():
            break
        nearest = moved
    return nearest


def far_apart(vectors: Floats, k: int, random: np.random.Generator) -> Floats:
    """Up to k of the vectors, each drawn with a chance that grows with the distance from those before; fewer where
    there are fewer distinct ones.
    """  # fmt: skip
    chosen = [int(random.integers(len(vectors)))]
    apart = np.maximum(1.0 - vectors @ vectors[chosen[0]], 0.0).astype(np.float64)
    while len(chosen) < k and apart.max() > 1e-6:
        apart[apart <= 1e-6] = 0.0  # what lies on a centre is not another one
        chosen.append(int(random.choice(len(vectors), p=apart / apart.sum())))
        apart = np.minimum(apart, np.maximum(1.0 - vectors @ vectors[chosen[-1]], 0.0))
    return vectors[chosen]


def by_size(cluster: Ints) -> Ints:
    """The clusters numbered anew from 0: largest first, ties by their first item.

    >>> by_size(np.array([5, 2, 2, 7])).tolist()
    [1, 0, 0, 2]
    """
    _, first, inverse, size = np.unique(cluster, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -size))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    numbers: Ints = rank[inverse]
    return numbers
