from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from chronotope.train.counts import AFTER_PREVIOUS, FEATURES, PARTS, Counter
from chronotope.train.known import taken
from tests.oracles import counts as oracle
from tests.train.small import DAY_S, HOUR_S, MONDAY_S, catalogue, history, queries, users


def random_world(seed: int, places: bool = True):
    """A catalogue with random counts, three users (one without history) and queries of every kind."""
    random = np.random.default_rng(seed)
    known = catalogue(n_items=7, places=places)
    known = dataclasses.replace(
        known,
        popularity=sparse.csr_matrix(random.poisson(1, known.popularity.shape).astype(np.float32)),
        transitions=sparse.csr_matrix(random.poisson(0.5, (7, 7)).astype(np.float32)),
        trending=random.uniform(0, 9, 7).astype(np.float32),
    )
    rows = []
    for name, steps in (("u0", 9), ("u1", 4), ("u2", 0)):
        at_s = MONDAY_S + np.sort(random.uniform(0, 9 * DAY_S, steps))
        somewhere = np.where(random.random(steps) < 0.7, 40 + random.uniform(0, 0.01, steps), np.nan)
        row = history(name, list(random.integers(0, 9, steps)), at_s, lat=somewhere, lon=-74 + 0 * somewhere)
        rows.append(row | {"slot": np.where(random.random(steps) < 0.8, row["slot"], -1)})
    asked = [
        {
            "user": user,
            "known_steps": steps,
            "at_s": MONDAY_S + random.uniform(9, 20) * DAY_S,
            "slot": int(random.integers(168)) if random.random() < 0.8 else -1,
            "region": int(random.integers(-1, 2)),
            "previous_known": bool(random.integers(2)),
        }
        for user, length in ((0, 9), (1, 4), (2, 0))
        for steps in range(length + 1)
    ]
    return known, users(rows, known), queries(*asked)


def one(feature: str, n: int) -> np.ndarray:
    """Weights that pick one feature out for every query."""
    weights = np.zeros((n, len(FEATURES)), np.float32)
    weights[:, FEATURES.index(feature)] = 1
    return weights


@given(st.integers(0, 10_000), st.booleans())
def test_every_feature_is_the_oracles(seed, places):
    known, who, asked = random_world(seed, places)
    evidence = Counter(known).evidence(who, asked)
    n, n_items = len(asked.user), len(known.item_ids)
    expected = [[oracle.features(known, who, asked, q, i) for i in range(n_items)] for q in range(n)]
    for feature in FEATURES:
        wanted = [[of_item[feature] for of_item in of_query] for of_query in expected]
        np.testing.assert_allclose(evidence.scores(one(feature, n)), wanted, atol=2e-5, err_msg=feature)


@given(st.integers(0, 10_000))
def test_parts_sum_to_scores_and_chosen_scores_are_those_of_all(seed):
    known, who, asked = random_world(seed)
    random = np.random.default_rng(seed)
    evidence = Counter(known).evidence(who, asked)
    weights = random.normal(size=(len(asked.user), len(FEATURES))).astype(np.float32)
    items = random.permuted(np.tile(np.arange(7), (len(asked.user), 1)), axis=1)[:, :4]
    parts = evidence.parts(weights, items)
    scores = np.take_along_axis(evidence.scores(weights), items, axis=1)
    assert tuple(parts) == PARTS
    np.testing.assert_allclose(sum(parts.values()), scores, atol=1e-4)


def test_padding_among_the_chosen_items_has_no_parts():
    known, who, asked = random_world(1)
    weights = np.ones((len(asked.user), len(FEATURES)), np.float32)
    evidence = Counter(known).evidence(who, asked)
    parts = evidence.parts(weights, np.full((len(asked.user), 2), -1))
    assert all((values == 0).all() for values in parts.values())
    assert evidence.parts(weights, np.empty((len(asked.user), 0), np.int64))["habit"].shape == (len(asked.user), 0)


def test_no_user_and_no_query_give_no_scores():
    known = catalogue()
    none = taken(queries({}), np.empty(0, np.int64))
    evidence = Counter(known).evidence(users([history("u", [])], known), none)
    assert evidence.scores(np.empty((0, len(FEATURES)), np.float32)).shape == (0, 6)


def test_a_user_without_history_gets_popularity_only():
    known, who, asked = random_world(3)
    scores = Counter(known).evidence(who, asked).scores(np.ones((len(asked.user), len(FEATURES)), np.float32))
    cold = len(asked.user) - 1
    told = [oracle.features(known, who, asked, cold, item) for item in range(7)]
    expected = [of["popular_overall"] + of["popular_here"] + of["trending"] for of in told]
    np.testing.assert_allclose(scores[cold], expected, atol=1e-5)


@pytest.mark.parametrize("feature", AFTER_PREVIOUS)
def test_nothing_is_known_after_an_unknown_previous_step(feature):
    known, who, asked = random_world(5)
    hidden = dataclasses.replace(asked, previous_known=np.zeros(len(asked.user), bool))
    assert not Counter(known).evidence(who, hidden).scores(one(feature, len(asked.user))).any()


def test_later_steps_change_nothing():
    known, who, asked = random_world(8)
    half = dataclasses.replace(asked, known_steps=asked.known_steps // 2)
    poisoned_items, poisoned_times = who.item.copy(), who.at_s.copy()
    later = np.arange(who.item.shape[1]) >= (who.length // 2)[:, None]
    poisoned_items[later], poisoned_times[later] = 6, MONDAY_S - 900 * DAY_S
    poisoned = dataclasses.replace(who, item=poisoned_items, at_s=poisoned_times, slot=np.where(later, 99, who.slot),
                                   lat=np.where(later, 40.0, who.lat))  # fmt: skip
    weights = np.ones((len(asked.user), len(FEATURES)), np.float32)
    clean = Counter(known).evidence(who, half).scores(weights)
    np.testing.assert_array_equal(Counter(known).evidence(poisoned, half).scores(weights), clean)


def test_other_users_and_the_order_of_queries_change_nothing():
    known, who, asked = random_world(11)
    order = np.random.default_rng(0).permutation(len(asked.user))
    weights = np.ones((len(asked.user), len(FEATURES)), np.float32)
    scores = Counter(known).evidence(who, asked).scores(weights)
    for q in order:
        single = taken(asked, np.array([q]))
        np.testing.assert_allclose(Counter(known).evidence(who, single).scores(weights[:1])[0], scores[q], rtol=1e-6)


def test_a_habit_at_the_hour_counts_for_the_hour():
    known = catalogue()
    mornings = [MONDAY_S + day * DAY_S + 8 * HOUR_S for day in range(4)]
    evenings = [MONDAY_S + day * DAY_S + 20 * HOUR_S for day in range(4)]
    rows = [history("u", [1, 2] * 4, np.array(sorted(mornings + evenings)))]
    asked = queries(*[{"known_steps": 8, "at_s": MONDAY_S + 4 * DAY_S, "slot": 96 + hour} for hour in (8, 20)])
    scores = Counter(known).evidence(users(rows, known), asked).scores(one("same_hour", 2))
    assert scores.argmax(axis=1).tolist() == [1, 2]


def test_an_untold_time_is_that_of_the_last_known_step():
    known, who, asked = random_world(13)
    weights = np.ones((len(asked.user), len(FEATURES)), np.float32)
    last = np.where(asked.known_steps > 0, who.slot[asked.user, asked.known_steps - 1], -1)
    untold, told = (dataclasses.replace(asked, slot=slot) for slot in (np.full_like(last, -1), last))
    expected = Counter(known).evidence(who, told).scores(weights)
    np.testing.assert_array_equal(Counter(known).evidence(who, untold).scores(weights), expected)


@pytest.mark.parametrize("step_slot", [-1, 8])
def test_without_a_clock_no_time_is_like_another_and_the_popular_are_so_overall(step_slot):
    known, who, asked = random_world(17)
    timeless = dataclasses.replace(who, slot=np.full_like(who.slot, step_slot))
    untold = dataclasses.replace(asked, slot=np.full_like(asked.slot, -1), known_steps=0 * asked.known_steps)
    if step_slot < 0:
        untold = dataclasses.replace(asked, slot=untold.slot)
    evidence = Counter(known).evidence(timeless, untold)
    n = len(asked.user)
    assert not evidence.scores(one("same_daypart", n) + one("same_hour", n) + one("own_next_hour", n)).any()
    np.testing.assert_array_equal(evidence.scores(one("popular_here", n)), evidence.scores(one("popular_overall", n)))


def test_no_clock_and_no_history_at_all():
    known = catalogue()
    asked = queries({"slot": -1, "region": 1})
    evidence = Counter(known).evidence(users([history("u", [])], known), asked)
    assert np.isfinite(evidence.scores(np.ones((1, len(FEATURES)), np.float32))).all()
