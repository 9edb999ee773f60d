"""Queries without a time: the blend of the answers at all moments against a plain twin, and who is asked so."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chronotope.train.known import taken
from chronotope.train.moments import GAPS_S
from chronotope.train.scorer import PARTS
from chronotope.train.untimed import Mixture, after, is_untimed
from tests.train import small
from tests.train.test_scorer import WORLD, make


@pytest.fixture(scope="module")
def scorer(defaults):
    return make(defaults, WORLD[0])


def test_the_blend_is_the_plain_sum_of_probabilities(scorer):
    _, users, queries = WORLD
    rows = np.flatnonzero(is_untimed(users, queries))
    assert 0 < len(rows) < len(queries.user)
    asked = taken(queries, rows)
    states = scorer.encode(users, asked)
    chance = np.exp(scorer.gaps(states, users, asked).astype(float))
    expected = np.zeros((len(rows), 7))
    for number, gap_s in enumerate(GAPS_S):
        for q, scores in enumerate(scorer.score(states, users, after(users, asked, gap_s)).astype(float)):
            total = sum(math.exp(score) for score in scores)
            expected[q] += [chance[q, number] * math.exp(score) / total for score in scores]
    assert expected.sum(axis=1) == pytest.approx(1.0)
    found = scorer.score(scorer.encode(users, queries), users, queries)[rows]
    assert found == pytest.approx(np.log(expected), abs=1e-4)


def test_parts_of_a_blend_add_up_to_it(scorer):
    _, users, queries = WORLD
    asked = taken(queries, np.flatnonzero(is_untimed(users, queries)))
    blend = Mixture(scorer, scorer.encode(users, asked), users, asked)
    items = np.tile([5, -1, 0], (len(asked.user), 1))
    parts = blend.parts(items)
    assert set(parts) == set(PARTS)
    found = sum(parts.values())
    assert found[:, [0, 2]] == pytest.approx(blend.score()[:, [5, 0]], abs=1e-4)
    assert not found[:, 1].any()


def test_untimed_is_who_knows_the_step_before_and_a_clock_but_not_the_time():
    known = small.catalogue()
    rows = [small.history("u", [0, 1]), small.history("v", [0, 1], slot=[3, -1]), small.history("w", [])]
    users = small.users(rows, known)
    next_one = {"known_steps": 2, "slot": -1, "previous_known": True}
    asked = small.queries(
        next_one, next_one | {"slot": 5}, next_one | {"previous_known": False}, next_one | {"user": 1},
        next_one | {"user": 1, "known_steps": 1}, next_one | {"user": 2}, next_one | {"known_steps": 9},
    )  # fmt: skip
    assert is_untimed(users, asked).tolist() == [True, False, False, False, True, False, True]
    nobody = small.users([small.history("w", [])], known)
    assert is_untimed(nobody, small.queries(next_one)).tolist() == [False]


def test_a_gap_later_the_week_may_have_begun_again():
    known = small.catalogue()
    at_s = small.MONDAY_S + np.array([0.0, 167.5 * small.HOUR_S])
    users = small.users([small.history("u", [0, 1], at_s)], known)
    asked = small.queries({"known_steps": 2, "slot": -1, "previous_known": True})
    for gap_s, slot in ((60.0, 167), (1800.0, 0), (3 * 3600.0, 2)):
        later = after(users, asked, gap_s)
        assert (later.slot.tolist(), later.at_s.tolist()) == ([slot], [at_s[1] + gap_s])
