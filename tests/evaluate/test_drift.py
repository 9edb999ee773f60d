from __future__ import annotations

import math
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chronotope.evaluate.drift import MAX_BINS, Mix, drift, pooled, psi, psi_by_chance
from tests.oracles import watch as oracle

CONFIDENCE = 0.999
USERS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1e6), min_size=1).filter(
    lambda of: sum(of.values()) > 1
)


def psi_of(now, then):
    return psi(now, then, sum(now.values()), sum(then.values()))


@given(USERS, USERS)
@example({"a": 300117.0}, {"a": 4.0, "b": 2.2e-313})
def test_the_index_is_the_oracles_never_negative_and_the_same_both_ways(now, then):
    wanted = oracle.psi(now, then, sum(now.values()), sum(then.values()))
    assert psi_of(now, then) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert psi_of(then, now) == pytest.approx(wanted, rel=1e-9, abs=1e-12)
    assert wanted >= -1e-12


@given(USERS, st.floats(0.1, 100))
def test_equal_shares_give_zero_however_many_users(now, times):
    assert psi_of(now, {name: n * times for name, n in now.items()}) == pytest.approx(0, abs=1e-9)


def test_a_bin_without_users_says_nothing():
    assert psi_of({"view": 4, "buy": 0}, {"view": 8, "cart": 0}) == 0


def test_a_bin_that_is_new_or_gone_is_finite_and_large():
    new, gone = psi_of({"a": 500, "b": 500}, {"a": 1000}), psi_of({"a": 1000}, {"a": 500, "b": 500})
    assert new == pytest.approx(gone)
    assert 0.25 < new < math.inf
    assert 0.25 < psi_of({"a": 7}, {"b": 7}) < math.inf


def test_nothing_on_one_side_is_no_drift():
    assert psi({"a": 3}, {}, 3, 0) == 0
    assert psi({}, {}, 3, 5) == 0


def test_with_many_users_it_is_the_textbooks_sum():
    p, q = {"a": 0.5, "b": 0.3, "c": 0.2}, {"a": 0.4, "b": 0.4, "c": 0.2}
    textbook = sum((p[name] - q[name]) * math.log(p[name] / q[name]) for name in p)
    many = [{name: share * 1e7 for name, share in of.items()} for of in (p, q)]
    assert psi_of(*many) == pytest.approx(textbook, rel=1e-5)


@pytest.mark.parametrize(("bins", "now", "then"), [(1, 5, 5), (7, 100, 700), (17, 1000, 7000), (101, 5000, 900)])
def test_what_chance_does_is_the_chi_square_quantile(bins, now, then):
    assert psi_by_chance(bins, now, then, CONFIDENCE) == pytest.approx(oracle.by_chance(bins, now, then, CONFIDENCE))


def test_users_drawn_anew_from_one_mix_seldom_go_beyond_what_chance_does():
    chance = random.Random(7)
    bound, above = psi_by_chance(8, 200, 1400, 0.95), 0
    for _ in range(400):
        drawn = [chance.choices("abcdefgh", range(1, 9), k=n) for n in (200, 1400)]
        above += psi_of(*[{name: side.count(name) for name in "abcdefgh"} for side in drawn]) > bound
    assert 4 <= above <= 40  # 20 are expected


def test_bins_that_lead_on_neither_side_are_one():
    names = [f"t{n:03}" for n in range(200)]
    now, then = ({name: base + sign * n for n, name in enumerate(names)} for base, sign in ((300, -1), (100, 1)))
    value, chance = drift(Mix(now, 50_000), Mix(then, 40_000), CONFIDENCE)
    named = names[:MAX_BINS] + names[-MAX_BINS:]
    compared = [{name: of[name] for name in named} for of in (now, then)]
    for of, users in zip(compared, (50_000, 40_000), strict=True):
        of["all others"] = users - sum(of.values())
    assert value == pytest.approx(oracle.psi(*compared, 50_000, 40_000))
    assert chance == pytest.approx(oracle.by_chance(2 * MAX_BINS + 1, 50_000, 40_000, CONFIDENCE))


@pytest.mark.parametrize(
    ("now", "then", "bins"),
    [
        (Mix({"a": 0.1, "b": 0.2}, 0.1 + 0.2 + 1e-12), Mix({"a": 70, "b": 30}, 100), 2),  # what rounding leaves is none
        (Mix({"a": 4, "b": 6}, 11), Mix({"a": 70, "b": 30}, 100), 3),
        (Mix({"a": 4, "b": 6}, 10), Mix({"a": 60, "b": 30}, 100), 3),
    ],
)
def test_all_others_are_a_bin_where_either_side_has_some(now, then, bins):
    chance = drift(now, then, CONFIDENCE)[1]
    assert chance == pytest.approx(oracle.by_chance(bins, now.users, then.users, CONFIDENCE))


def test_mixes_are_pooled_by_their_users():
    both = pooled([Mix({"a": 1.0, "b": 2.0}, 3), Mix({"b": 4.0}, 5)])
    assert (dict(both.bins), both.users) == ({"a": 1.0, "b": 6.0}, 8)
    assert pooled([]) == Mix({}, 0.0)
