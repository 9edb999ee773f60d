from __future__ import annotations

import numpy as np
import pytest

from chronotope.evaluate.gate import decide
from tests.evaluate.test_evaluations import ranked

CONFIDENCE = 0.95


def answers(model, ranks, protocol="tail_morning", per_user=1):
    return [
        {"query_id": f"q{n}", "user_id": f"u{n // per_user}", "model": model, "rank": int(rank), "protocol": protocol,
         "n_candidates": 100}
        for n, rank in enumerate(ranks)
    ]  # fmt: skip


def decided(spark, rows, new="new", recent="recent", counts="counts"):
    return decide(ranked(spark, rows), new, recent, counts, CONFIDENCE)


@pytest.mark.parametrize("best", ["recent", "counts"])
def test_the_better_of_the_others_is_taken_wherever_it_stands(spark, best):
    """A best that is not the first candidate: `argmin` of a generator once took the first, whatever the figures."""
    rows = [row for m in ("new", "recent", "counts") for row in answers(m, [2 if m == best else 4] * 30)]
    decision = decided(spark, rows)
    assert decision.model_id == best
    assert decision.reason == (
        f"{best} publishes: new is worse; mean reciprocal rank over 30 queries: 0.2500 for new, 0.5000 for {best}, "
        "difference -0.2500 (-0.2500 to -0.2500, one-sided 95% bounds)"
    )


def test_a_better_new_model_publishes(spark):
    rows = answers("new", [1] * 30) + answers("recent", [2] * 30) + answers("counts", [3] * 30)
    decision = decided(spark, rows)
    assert decision.model_id == "new"
    assert "it is not worse than recent" in decision.reason


def test_a_difference_within_the_noise_does_not_refuse(spark):
    chance = np.random.default_rng(0)
    rows = answers("new", chance.integers(1, 20, 40)) + answers("counts", chance.integers(1, 18, 40))
    assert decided(spark, rows, recent=None).model_id == "new"


def test_pairing_finds_a_small_difference_in_noisy_ranks(spark):
    """Queries differ far more than models do; only the differences, query by query, can tell these two apart."""
    base = np.random.default_rng(1).integers(1, 60, 400)
    rows = answers("new", base + 1) + answers("counts", base)
    assert decided(spark, rows, recent=None).model_id == "counts"


def test_many_queries_of_few_users_do_not_decide(spark):
    """Six of ten users lose all their 20 queries, four win: counted by queries no doubt is left, by users there is."""
    loses = np.repeat([True] * 6 + [False] * 4, 20)
    new, counts = np.where(loses, 2, 1), np.where(loses, 1, 2)
    alike = answers("new", new, per_user=20) + answers("counts", counts, per_user=20)
    assert decided(spark, alike, recent=None).model_id == "new"
    assert decided(spark, answers("new", new) + answers("counts", counts), recent=None).model_id == "counts"


def test_a_query_that_a_model_did_not_answer_counts_against_it(spark):
    rows = answers("new", [1] * 5) + answers("counts", [2] * 60)
    assert decided(spark, rows, recent=None).model_id == "counts"


def test_morning_lists_decide(spark):
    rows = answers("new", [1] * 30) + answers("new", [9] * 30, "tail_next")
    rows += answers("counts", [2] * 30) + answers("counts", [1] * 30, "tail_next")
    assert decided(spark, rows, recent=None).model_id == "new"


@pytest.mark.parametrize("rows", [[], answers("new", [1] * 9, per_user=9) + answers("counts", [2] * 9, per_user=9)])
def test_too_little_to_compare_leaves_it_to_the_count_model(spark, rows):
    decision = decided(spark, rows, recent=None)
    assert (decision.model_id, "fewer than two users" in decision.reason) == ("counts", True)


def test_without_a_new_model_the_recent_one_must_hold(spark):
    rows = answers("recent", [5] * 30) + answers("counts", [2] * 30)
    assert decided(spark, rows, new=None).model_id == "counts"


@pytest.mark.parametrize("recent", [None, "counts"])
def test_alone_the_count_model_publishes(spark, recent):
    assert decided(spark, [], new=None, recent=recent).model_id == "counts"
