"""The figures of a table, against the product's own metrics and against sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from benchmarks.summary import KS, METRICS, summary, table, with_metrics
from chronotope.evaluate.metrics import per_query

PREDICTIONS = pd.DataFrame(
    {
        "model": ["m"] * 6 + ["yardstick"] * 3,
        "seed": [1, 1, 1, 2, 2, 2, 1, 1, 1],
        "trajectory_id": ["a", "b", "c"] * 3,
        "rank": [1, 2, 31, 1, 1, 8, 3, 3, 3],
    }
)


def test_the_metrics_are_those_of_stage_evaluate(spark):
    ranks = pd.DataFrame({"rank": [1, 2, 5, 6, 10, 20, 21, 30, 31], "n_candidates": 30})
    theirs = spark.createDataFrame(ranks).select(*[m.alias(n) for n, m in per_query(KS).items() if n in METRICS])
    expected = theirs.toPandas()
    ours = with_metrics(ranks, 30)
    assert {name: ours[name].tolist() for name in METRICS} == {name: expected[name].tolist() for name in METRICS}


def test_errors_are_over_queries_and_spread_is_over_seeds():
    found = summary(PREDICTIONS, 30, ["model"], ["trajectory_id"]).set_index(["model", "metric"])
    row = found.loc["m", "accuracy@1"]
    of_query = [1.0, 0.5, 0.0]
    assert row["value"] == 0.5
    assert math.isclose(row["error"], np.std(of_query, ddof=1) / math.sqrt(3))
    assert math.isclose(row["spread"], np.std([1 / 3, 2 / 3], ddof=1))
    assert (row["n"], row["n_seeds"]) == (3, 2)
    assert math.isclose(found.loc["m", "mrr"]["value"], (1 + (0.5 + 1) / 2 + (0 + 1 / 8) / 2) / 3)
    assert np.isnan(found.loc["yardstick", "mrr"]["spread"]), "one seed has no spread"


def test_queries_of_two_users_are_two_whatever_their_number():
    rows = PREDICTIONS.assign(user_id=["u", "u", "v"] * 3, trajectory_id=[1, 2, 1] * 3)
    found = summary(rows, 30, ["model"], ["user_id", "trajectory_id"])
    pd.testing.assert_frame_equal(found, summary(PREDICTIONS, 30, ["model"], ["trajectory_id"]))


def test_the_table_has_one_line_per_group_in_the_order_given():
    lines = table(summary(PREDICTIONS[::-1], 30, ["model"], ["trajectory_id"]), ["model"]).splitlines()
    assert lines[0].split() == ["model", *METRICS]
    assert [line.split()[0] for line in lines[1:]] == ["yardstick", "m"]
    assert ".500 ±.289/.236" in lines[2]
