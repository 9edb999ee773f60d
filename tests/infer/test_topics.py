"""Topics: categories, clusters of texts, and what has neither."""

from __future__ import annotations

import dataclasses

import numpy as np

from chronotope.infer.topics import NO_TEXT, far_apart, spherical_k_means, topics_of
from tests.train import small


def bare(n_items=60, n_texts=3, **changes):
    known = small.catalogue(n_items=n_items, n_texts=n_texts)
    return dataclasses.replace(known, categories=[""] * n_items, **changes)


def test_categories_are_topics():
    assert topics_of(small.catalogue(n_items=4), 2, 0) == ["kind 0", "kind 1", "kind 2", "kind 0"]


def test_items_with_one_text_share_a_cluster_and_others_do_not():
    topics = topics_of(bare(), 8, seed=1)
    assert [topics[j] == topics[j % 3] for j in range(60)] == [True] * 60
    assert len(set(topics)) == 3


def test_planted_clusters_are_found():
    random = np.random.default_rng(5)
    centres = np.eye(8)[:4]
    planted = np.repeat(np.arange(4), [40, 30, 20, 10])
    vectors = centres[planted] + random.normal(scale=0.1, size=(100, 8))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    topics = topics_of(bare(100, embedding=vectors), 4, seed=0)
    assert topics == [f"cluster {number + 1}" for number in planted]


def test_the_seed_decides():
    vectors = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (spherical_k_means(vectors, 7, 3) == spherical_k_means(vectors, 7, 3)).all()


def test_categories_and_clusters_side_by_side():
    known = bare(6)
    mixed = dataclasses.replace(
        known, categories=["tea", "", "", "", "", ""], embedding=known.embedding * [[1]] * 5 + [[0]]
    )
    none = mixed.embedding.copy()
    none[5] = 0
    topics = topics_of(dataclasses.replace(mixed, embedding=none), 8, 0)
    assert (topics[0], topics[5]) == ("tea", NO_TEXT)
    assert topics[1] == topics[4] != topics[2]


def test_no_more_centres_than_distinct_texts():
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    assert len(far_apart(vectors, 9, np.random.default_rng(0))) == 3


def test_a_catalogue_without_any_text():
    assert topics_of(bare(3, embedding=np.zeros((3, 1), np.float32)), 4, 0) == [NO_TEXT] * 3
