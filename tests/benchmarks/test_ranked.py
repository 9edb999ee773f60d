"""Ranks, lists and figures, against plain Python."""

from __future__ import annotations

import statistics

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from benchmarks import ranked
from benchmarks.ranked import figures, lists, ranks, table
from tests.oracles.evaluate import of_rank, rank_of


@pytest.fixture
def asked():
    """Scores with many ties [40, 30], truths of which some are unknown, and what each query hides."""
    random = np.random.default_rng(3)
    scores = random.integers(0, 6, (40, 30)).astype(np.float32) - 3
    truths = random.integers(-1, 30, 40)
    hidden = random.random((40, 30)) < 0.3
    hidden[np.arange(40), truths] = False
    return scores, truths, hidden


@pytest.mark.parametrize("at_once", [7, 512])
def test_hidden_items_are_as_if_they_were_not_there(asked, monkeypatch, at_once):
    monkeypatch.setattr(ranked, "QUERIES_AT_ONCE", at_once)
    scores, truths, hidden = asked
    expected = []
    for row, truth, gone in zip(scores.tolist(), truths, hidden, strict=True):
        kept = [item for item in range(30) if not gone[item]]
        expected.append(rank_of([row[item] for item in kept], kept.index(truth)) if truth >= 0 else 31)
    assert ranks(scores, truths, sparse.csr_matrix(hidden)).tolist() == expected


def test_without_hidden_items_all_are_ranked(asked):
    scores, truths, _ = asked
    expected = [rank_of(row, truth) for row, truth in zip(scores.tolist(), truths, strict=True)]
    assert ranks(scores, truths, None).tolist() == expected


def test_a_hidden_truth_is_last():
    hidden = sparse.csr_matrix(np.array([[1, 0, 0, 1]]))
    assert ranks(np.array([[9, 1, 2, 3]], np.float32), np.array([0]), hidden).tolist() == [4]


def test_lists_show_no_hidden_item_and_break_ties_by_column(asked):
    scores, _, hidden = asked
    for shown, row, gone in zip(lists(scores, sparse.csr_matrix(hidden)), scores, hidden, strict=True):
        best = sorted((item for item in range(30) if not gone[item]), key=lambda item: (-row[item], item))
        assert shown[: len(best)].tolist() == best[: ranked.SHOWN]


def test_scores_are_left_as_they_were(asked):
    scores, truths, hidden = asked
    before = scores.copy()
    ranks(scores, truths, sparse.csr_matrix(hidden))
    assert (scores == before).all()


PREDICTIONS = pd.DataFrame(
    [
        ("a", 1, "u", 1, ["x", "y"]), ("a", 1, "v", 4, ["x", "z"]), ("a", 1, "w", 31, ["x", "q"]),
        ("a", 2, "u", 2, ["x", "y"]), ("a", 2, "v", 12, ["x", "y"]), ("a", 2, "w", 3, ["x", "y"]),
        ("b", 1, "u", 10, ["p", "q"]), ("b", 1, "v", 11, ["r", "s"]), ("b", 1, "w", 1, ["p", "q"]),
    ],
    columns=["model", "seed", "user_id", "rank", "top20"],
)  # fmt: skip


@pytest.mark.parametrize(("metric", "named"), [("NDCG@10", "ndcg@10"), ("HitRate@10", "accuracy@10"), ("MRR", "mrr")])
def test_figures_are_means_over_users_with_their_errors(metric, named):
    found = figures(PREDICTIONS, 30).set_index(["model", "metric"])
    for model in ("a", "b"):
        rows = PREDICTIONS[PREDICTIONS["model"] == model]
        values = {(r.seed, r.user_id): of_rank(r.rank, 30, [10])[named] for r in rows.itertuples()}
        seeds, users = sorted({s for s, _ in values}), ["u", "v", "w"]
        of_users = [statistics.mean(values[s, u] for s in seeds) for u in users]
        got = found.loc[(model, metric)]
        assert got["value"] == pytest.approx(statistics.mean(of_users))
        assert got["error"] == pytest.approx(statistics.stdev(of_users) / 3**0.5)
        if len(seeds) > 1:
            assert got["spread"] == pytest.approx(
                statistics.stdev(statistics.mean(values[s, u] for u in users) for s in seeds)
            )
        else:
            assert np.isnan(got["spread"])


def test_coverage_is_the_share_of_items_shown():
    found = figures(PREDICTIONS, 30).set_index(["model", "metric"])
    assert found.loc[("a", "coverage@10"), "value"] == pytest.approx((4 / 30 + 2 / 30) / 2)
    assert found.loc[("b", "coverage@10"), "value"] == pytest.approx(4 / 30)


def test_coverage_counts_ten_places():
    shown = PREDICTIONS.iloc[:1].assign(top20=[[str(n) for n in range(20)]])
    assert figures(shown, 40).set_index("metric").loc["coverage@10", "value"] == pytest.approx(10 / 40)


def test_the_table_has_a_line_per_model_and_a_column_per_metric():
    lines = table(figures(PREDICTIONS, 30)).splitlines()
    assert lines[0].split() == ["model", "NDCG@10", "HitRate@10", "MRR", "coverage@10"]
    assert [line.split()[0] for line in lines[1:]] == ["a", "b"]
