from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.evaluate.lists import per_list
from chronotope.evaluate.metrics import per_query
from tests.examples import few
from tests.oracles import evaluate as oracle

KS = [1, 3, 10]
PLACES = [(rank, n) for n in (1, 2, 5, 40) for rank in range(1, n + 2)]


def measured(spark, pairs):
    frame = spark.createDataFrame(pairs, "rank int, n_candidates int")
    columns = per_query(KS)
    names = list(columns)
    rows = frame.select("rank", "n_candidates", *[c.alias(f"m{i}") for i, c in enumerate(columns.values())]).collect()
    return {(row[0], row[1]): dict(zip(names, row[2:], strict=True)) for row in rows}


def test_every_metric_of_every_place_is_the_oracles(spark):
    found = measured(spark, PLACES)
    assert set(found) == set(PLACES)
    for (rank, n), metrics in found.items():
        assert metrics == pytest.approx(oracle.of_rank(rank, n, KS)), (rank, n)


def test_limits(spark):
    found = measured(spark, [(1, 5), (5, 5), (6, 5), (1, 1), (2, 1)])
    perfect, worst, missed, alone, nothing = (found[key] for key in [(1, 5), (5, 5), (6, 5), (1, 1), (2, 1)])
    assert {name for name, value in perfect.items() if value == 1} == {
        "mrr", "roc_auc", "accuracy@1", "accuracy@3", "accuracy@10", "recall@1", "recall@3", "recall@10",
        "ndcg@1", "ndcg@3", "ndcg@10", "map@1", "map@3", "map@10", "precision@1", "f1@1",
    }  # fmt: skip
    assert (worst["roc_auc"], worst["accuracy@3"], worst["accuracy@10"], worst["mrr"]) == (0, 0, 1, 0.2)
    # Place 6 of 5 is a miss, although 10 places are looked at.
    assert set(missed.values()) == set(nothing.values()) == {0}
    assert (alone["roc_auc"], alone["mrr"]) == (1, 1)


def test_a_list_of_one_truth_is_measured_as_a_rank(spark):
    ranks = [(rank, rank if rank <= 5 else None) for rank in range(1, 7)]
    frame = spark.createDataFrame(
        [(r, [p], ["truth"]) for r, p in ranks], "r int, ranks array<int>, followed array<string>"
    )
    columns = per_list(KS)
    for row in frame.select("r", *[c.alias(f"m{i}") for i, c in enumerate(columns.values())]).collect():
        expected = oracle.of_rank(row["r"], 5, KS)
        assert dict(zip(columns, row[1:], strict=True)) == pytest.approx({name: expected[name] for name in columns})


ITEMS = st.lists(st.sampled_from("abcdefgh"), max_size=6, unique=True)


@few
@given(st.lists(st.tuples(ITEMS, ITEMS.filter(bool)), min_size=1, max_size=12))
def test_lists_met_by_several_items_are_measured_as_the_oracle_does(spark, lists):
    rows = [(n, followed, [shown.index(i) + 1 if i in shown else None for i in followed])
            for n, (shown, followed) in enumerate(lists)]  # fmt: skip
    frame = spark.createDataFrame(rows, "n int, followed array<string>, ranks array<int>")
    columns = per_list(KS)
    for row in frame.select("n", *[c.alias(f"m{i}") for i, c in enumerate(columns.values())]).collect():
        assert dict(zip(columns, row[1:], strict=True)) == pytest.approx(oracle.of_shown(*lists[row["n"]], KS))
