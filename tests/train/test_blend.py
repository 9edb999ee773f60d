from __future__ import annotations

import json
import time

import numpy as np
import pytest

from chronotope.errors import ModelError
from chronotope.train.barred import NEVER
from chronotope.train.blend import KINDS, START, YARDSTICKS, CountBlend, yardsticks
from chronotope.train.counts import PARTS
from chronotope.train.known import taken
from tests.train.small import MONDAY_S, catalogue, counted, history, queries, users


def scores_of(scorer, who, asked):
    return scorer.score(scorer.encode(who, asked), who, asked)


@pytest.fixture
def small():
    known = catalogue()
    rows = [history("u0", [1, 2, 1, 3]), history("u1", [5, 5, 4])]
    known = counted(known, [*rows, history("others", [0, 1, 0, 1, 0])])
    asked = queries(
        {"user": 0, "known_steps": 4, "at_s": MONDAY_S + 5 * 3600, "slot": 5, "previous_known": True},
        {"user": 0, "known_steps": 3, "at_s": MONDAY_S + 5 * 3600, "slot": 5, "previous_known": True},
        {"user": 1, "known_steps": 3, "at_s": MONDAY_S + 5 * 3600, "slot": 5, "previous_known": False},
        {"user": 1, "known_steps": 0},
    )
    return known, users(rows, known), asked


def test_popularity_ranks_by_events(small):
    known, who, asked = small
    scores = scores_of(named(known, "popularity"), who, asked)
    assert scores.argmax(axis=1).tolist() == [1, 1, 1, 1]
    assert (scores == scores[0]).all()


@pytest.mark.parametrize("columns", [[2], [0, 1, 5]])
def test_asked_about_some_items_it_says_the_same_of_them(small, columns):
    known, who, asked = small
    scorer = CountBlend(known, dict.fromkeys(KINDS, START))
    among, items = np.array(columns), np.tile(columns, (len(asked.user), 1))
    states = scorer.encode(who, asked)
    np.testing.assert_array_equal(scorer.score(states, who, asked, among), scorer.score(states, who, asked)[:, among])
    expected = scorer.parts(states, who, asked, items)
    for name, values in scorer.parts(states, who, asked, items, among).items():
        np.testing.assert_array_equal(values, expected[name])


def test_parts_are_those_of_the_batch_that_they_are_asked_of(small):
    """Also when another batch was scored in between."""
    known, who, asked = small
    scorer = CountBlend(known, dict.fromkeys(KINDS, START))
    one, other = (taken(asked, rows) for rows in (np.array([0, 1]), np.array([2, 3])))
    items = np.tile(np.arange(len(known.item_ids)), (2, 1))
    expected = scores_of(scorer, who, one)
    scores_of(scorer, who, other)
    assert sum(scorer.parts(None, who, one, items).values()) == pytest.approx(expected, abs=1e-5)
    assert np.abs(sum(scorer.parts(None, who, other, items).values()) - expected).max() > 1e-2


def test_user_frequency_ranks_the_users_own_first(small):
    known, who, asked = small
    assert scores_of(named(known, "user_frequency"), who, asked).argmax(axis=1).tolist() == [1, 1, 5, 1]


def test_last_item_ranks_the_last_known_first(small):
    known, who, asked = small
    assert scores_of(named(known, "last_item"), who, asked).argmax(axis=1).tolist() == [3, 1, 4, 1]


def test_markov_ranks_what_followed_the_previous(small):
    known, who, asked = small
    scores = scores_of(named(known, "markov"), who, asked)
    # Nothing is known to follow 3; after 1 the user took 2 (and others 0 twice); a hidden previous leaves popularity.
    assert scores.argmax(axis=1).tolist() == [1, 2, 1, 1]
    assert scores[1].argsort()[::-1][1] == 0


def named(known, name) -> CountBlend:
    return next(scorer for scorer in yardsticks(known) if scorer.model_id == name)


def test_the_yardsticks_are_named_once_each(small):
    assert [scorer.model_id for scorer in yardsticks(small[0])] == list(YARDSTICKS)


def test_parts_sum_to_the_score(small):
    known, who, asked = small
    scorer = CountBlend(known, dict.fromkeys(KINDS, START))
    every = np.tile(np.arange(6), (4, 1))
    parts = scorer.parts(scorer.encode(who, asked), who, asked, every)
    assert set(parts) == set(PARTS)
    np.testing.assert_allclose(sum(parts.values()), scores_of(scorer, who, asked), atol=1e-4)


@pytest.mark.parametrize("among", [None, [1, 3, 5]])
def test_where_nobody_comes_back_what_was_met_is_never_next(small, among):
    known, who, asked = small
    among = among and np.array(among)
    usual = CountBlend(known, dict.fromkeys(KINDS, START))
    saved = CountBlend(known, dict.fromkeys(KINDS, START), repeats=False).to_dict()
    scorer = CountBlend.from_dict(json.loads(json.dumps(saved)), known)
    states, columns = scorer.encode(who, asked), np.arange(6) if among is None else among
    met = np.array([[j in {1, 2, 3} for j in columns], [j in {1, 2} for j in columns], [j in {4, 5} for j in columns]])
    met = np.concatenate([met, np.zeros((1, len(columns)), bool)])
    expected = np.where(met, NEVER, usual.score(states, who, asked, among))
    np.testing.assert_array_equal(scorer.score(states, who, asked, among), expected)
    items = np.tile([*columns, -1], (4, 1))
    parts = scorer.parts(states, who, asked, items, among)
    np.testing.assert_allclose(sum(parts.values()), np.c_[expected, np.zeros(4)], atol=1e-4)
    assert (parts["habit"][:, :-1][met] == NEVER).all()


def test_a_model_of_before_bars_nothing(small):
    saved = CountBlend(small[0], dict.fromkeys(KINDS, START), repeats=False).to_dict()
    assert CountBlend.from_dict({name: saved[name] for name in ("model_id", "weights")}, small[0]).repeats


def test_each_query_is_scored_with_the_weights_of_its_kind(small):
    known, who, asked = small
    scorer = CountBlend(known, {"morning": {"popular_overall": 1.0}, "next": {"last": 1.0}})
    scores = scores_of(scorer, who, asked)
    assert scores[0].tolist() == [0, 0, 0, 1, 0, 0]
    np.testing.assert_array_equal(scores[2], scores_of(named(known, "popularity"), who, asked)[2])


def test_saved_and_loaded_it_scores_the_same(small):
    known, who, asked = small
    scorer = CountBlend(known, {"morning": {"frequency": 0.5}, "next": START}, "counts-2012-10-31")
    again = CountBlend.from_dict(json.loads(json.dumps(scorer.to_dict())), known)
    assert again.model_id == "counts-2012-10-31"
    np.testing.assert_array_equal(scores_of(again, who, asked), scores_of(scorer, who, asked))


@pytest.mark.parametrize("weights", [{"next": START}, {"next": START, "morning": {"sunspots": 1.0}}])
def test_weights_of_another_version_are_refused(small, weights):
    with pytest.raises(ModelError, match="train it again"):
        CountBlend.from_dict({"model_id": "counts", "weights": weights}, small[0])


def test_five_thousand_lists_per_second_are_scored():
    """The count model's share of the time that a list may take; measured at 5,000 items and 60 steps of history."""
    random = np.random.default_rng(0)
    known = catalogue(n_items=5000)
    rows = [history(f"u{u}", list(random.integers(0, 5000, 60))) for u in range(100)]
    who = users(rows, known)
    asked = queries(
        *[{"user": q % 100, "known_steps": 60, "slot": q % 168, "at_s": MONDAY_S + 1e6} for q in range(2000)]
    )
    scorer = CountBlend(known, dict.fromkeys(KINDS, START))
    scores_of(scorer, who, asked)
    started = time.perf_counter()
    scores = scores_of(scorer, who, asked)
    # A generous limit, so that a busy machine does not fail it: idle, it takes 0.15 s.
    assert time.perf_counter() - started < 2.0
    assert scores.shape == (2000, 5000)
