from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from chronotope.evaluate.ranking import ranks_of
from chronotope.train import tuning
from chronotope.train.blend import KINDS, START, CountBlend, yardsticks
from chronotope.train.counts import AFTER_PREVIOUS
from chronotope.train.known import known_before, midnight_s, taken
from chronotope.train.tuning import Lesson, last_queries, scale, tune, vector, without_met
from tests.train.small import DAY_S, HOUR_S, MONDAY_S, catalogue, counted, history, queries, users

DAYS = 20


@pytest.fixture(scope="module")
def planted():
    """Users who take one item in the morning and another in the evening, and half the time anything at noon."""
    random = np.random.default_rng(4)
    known = catalogue(n_items=30)
    rows = []
    for u in range(40):
        morning, evening = random.choice(30, 2, replace=False)
        at_s, items = [], []
        for day in range(DAYS):
            plan = [(8, morning), (12, random.integers(30)), (20, evening)]
            for hour, item in [visit for visit in plan if visit[0] != 12 or random.random() < 0.5]:
                at_s.append(MONDAY_S + day * DAY_S + hour * HOUR_S)
                items.append(int(item))
        rows.append(history(f"u{u:02d}", items, np.array(at_s)))
    cut = MONDAY_S + (DAYS - 4) * DAY_S
    early = [(r, r["occurred_at_s"] < cut) for r in rows]
    before = [
        history(r["user_id"], [int(i[1:]) for i in np.array(r["item_id"])[is_early]], r["occurred_at_s"][is_early])
        for r, is_early in early
    ]
    known = counted(known, before)
    return known, users(rows, known), cut


def mrr(scorer, who, asked, truths):
    return float(np.mean(1 / ranks_of(scorer.score(scorer.encode(who, asked), who, asked), truths)))


def test_the_blend_beats_every_yardstick_and_the_start_on_planted_habits(planted):
    known, who, cut = planted
    tuned = dataclasses.replace(who, length=known_before(who, np.arange(40), np.full(40, cut + 2 * DAY_S)))
    blend = tune(known, who, *last_queries(tuned, cut, "UTC", seed=1), seed=1)
    test, truths = last_queries(who, cut + 2 * DAY_S, "UTC", seed=2)
    for known_previous in (False, True):
        rows = np.flatnonzero(test.previous_known == known_previous)
        asked, truth = taken(test, rows), truths[rows]
        found = mrr(blend, who, asked, truth)
        assert found > 1.1 * max(mrr(each, who, asked, truth) for each in yardsticks(known))
        assert found > mrr(CountBlend(known, dict.fromkeys(KINDS, START)), who, asked, truth) - 0.02


def test_the_same_seed_gives_the_same_weights(planted, monkeypatch):
    monkeypatch.setattr(tuning, "DRAWS", 10)
    known, who, cut = planted
    asked = last_queries(who, cut, "UTC", seed=1)
    first, second, other = (tune(known, who, *asked, seed=seed).weights for seed in (1, 1, 2))
    assert first == second != other


def test_morning_weights_are_for_what_a_morning_knows(planted, monkeypatch):
    monkeypatch.setattr(tuning, "DRAWS", 10)
    known, who, cut = planted
    weights = tune(known, who, *last_queries(who, cut, "UTC", seed=1), seed=1).weights
    assert not set(weights["morning"]) & set(AFTER_PREVIOUS)
    assert all(weights[kind]["popular_overall"] > 0 for kind in KINDS)


def test_without_queries_the_start_is_kept():
    known = catalogue()
    who = users([history("u", [1, 2])], known)
    nothing = np.empty(0, np.int64)
    blend = tune(known, who, taken(queries({}), nothing), nothing, seed=1)
    assert blend.weights["next"] == START
    assert set(blend.weights["morning"]) == set(START) - set(AFTER_PREVIOUS)


def test_where_nobody_comes_back_met_items_are_no_candidates_and_no_lesson():
    known = catalogue(places=False)
    who = users([history("u", [0, 0, 0, 1, 0])], known)
    asked = queries(
        *[{"known_steps": step, "at_s": who.at_s[0, step], "slot": 9, "previous_known": True} for step in (3, 4)]
    )
    truths = np.array([1, 0])
    assert without_met(who, asked, truths).tolist() == [1, -1]
    counting = CountBlend(known, dict.fromkeys(KINDS, START))
    ranks = [Lesson.of(counting, who, asked, truths, repeats).mrr(vector()) for repeats in (True, False)]
    first, second = 1 / ranks_of(counting.evidence(who, asked).scores(np.tile(vector(), (2, 1))), truths)
    assert ranks[0] == pytest.approx((first + second) / 2)
    assert second == 1.0
    # Of the six the others tie for the first query: only what was met, i00, ranks behind the truth.
    assert ranks[1] == pytest.approx((1 / 5 + 1 / 6) / 2)


def test_blends_are_tuned_without_what_was_met(planted, monkeypatch):
    monkeypatch.setattr(tuning, "DRAWS", 10)
    known, who, cut = planted
    asked = last_queries(who, cut, "UTC", seed=1)
    assert tune(known, who, *asked, seed=1, repeats=False).weights != tune(known, who, *asked, seed=1).weights


def test_the_scale_makes_the_softmax_a_probability():
    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 5))
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truths = np.array([random.choice(5, p=p) for p in chances])
    assert scale((logits / 3).astype(np.float32), truths) == pytest.approx(3, rel=0.1)


def test_last_queries_ask_each_step_twice_and_know_only_what_was_before():
    known = catalogue()
    at_s = MONDAY_S + HOUR_S * np.array([0, 30, 30, 49, 50])
    who = users([history("u", [0, 1, 2, 3, 99], at_s), history("v", [4])], known)
    asked, truths = last_queries(who, MONDAY_S + 29 * HOUR_S, "UTC", seed=0)
    # Item 99 is not in the catalogue; of the two steps in one second neither knows the other.
    assert truths.tolist() == [1, 2, 3, 1, 2, 3]
    assert asked.known_steps.tolist() == [1, 1, 3, 1, 1, 3]
    assert asked.previous_known.tolist() == [True] * 3 + [False] * 3
    assert len(last_queries(who, MONDAY_S, "UTC", seed=0, max_queries=2)[1]) == 4


def test_a_morning_ends_at_local_midnight():
    noon = 1_364_731_200.0  # 2013-03-31 12:00 UTC, the day on which clocks in Berlin went forward at 2:00
    assert midnight_s(np.array([noon]), "Europe/Berlin").tolist() == [noon - 13 * HOUR_S]
    assert midnight_s(np.array([noon + DAY_S]), "Europe/Berlin").tolist() == [noon + 10 * HOUR_S]
    assert midnight_s(np.array([noon]), "America/New_York").tolist() == [noon - 8 * HOUR_S]
    assert midnight_s(np.empty(0), "UTC").tolist() == []
