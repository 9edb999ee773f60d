from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.evaluate.breadth import breadth, popularity_of
from chronotope.evaluate.evaluations import evaluate_published, evaluate_tail, summary
from chronotope.evaluate.means import means, standard_errors
from tests.examples import few
from tests.oracles import evaluate as oracle
from tests.rows import NIGHT, frame
from tests.train import small

EVENTS = {"a": 50, "b": 30, "c": 15, "d": 5}


def ranked(spark, rows):
    base = {
        "user_id": "u", "item_id": "a", "model": "m", "protocol": "tail_next", "rank": 1, "n_candidates": 4,
        "user_kind": "light", "distance_kind": "near", "language": "Latn", "top": ["a", "b"],
    }  # fmt: skip
    return frame(spark, "ranks", [base | {"query_id": f"q{n}"} | row for n, row in enumerate(rows)])


def popularity(spark):
    return spark.createDataFrame(list(EVENTS.items()), "item_id string, n bigint")


def by_key(evaluations):
    return {(r["model"], r["protocol"], r["slice"], r["metric"]): r for r in evaluations.collect()}


@few
@given(st.integers(0, 10_000))
def test_all_of_it_is_the_oracles(spark, defaults, seed):
    """Every model, protocol, slice and metric of random ranks, against loops over lists."""
    chance = random.Random(seed)
    rows = [
        {
            "query_id": f"q{n}", "user_id": f"u{chance.randrange(8)}", "model": chance.choice(["m", "popularity"]),
            "protocol": chance.choice(["tail_next", "tail_morning"]), "rank": chance.randint(1, 5),
            "user_kind": chance.choice(["new", "heavy"]), "language": chance.choice(["Latn", "Hani"]),
            "top": chance.sample(sorted(EVENTS), chance.randint(0, 4)),
        }
        for n in range(60)
    ]  # fmt: skip
    ks = defaults.evaluate.ks
    found = by_key(evaluate_tail(ranked(spark, rows), popularity(spark), defaults.evaluate, NIGHT))
    groups = {}
    for row in rows:
        for name in ("all", f"user_kind={row['user_kind']}", "distance_kind=near", f"language={row['language']}"):
            groups.setdefault((row["model"], row["protocol"], name), []).append(row)
    assert {key[:3] for key in found} == set(groups)
    for group, members in groups.items():
        for metric in oracle.of_rank(1, 4, ks):
            values = [(r["user_id"], oracle.of_rank(r["rank"], 4, ks)[metric]) for r in members]
            row = found[(*group, metric)]
            value, low, high, n = oracle.clustered_mean(values, defaults.evaluate.confidence)
            assert (row["value"], row["n"]) == (pytest.approx(value), n)
            assert (row["low"], row["high"]) == (pytest.approx(low, abs=1e-7), pytest.approx(high, abs=1e-7))
        for k in ks:
            covered, novel = oracle.breadth([r["top"] for r in members], k, 4, EVENTS)
            assert found[(*group, f"coverage@{k}")]["value"] == pytest.approx(covered)
            assert found[(*group, f"novelty@{k}")]["value"] == (None if novel is None else pytest.approx(novel))


def test_no_rank_gives_no_row(spark, defaults):
    assert evaluate_tail(ranked(spark, []), popularity(spark), defaults.evaluate, NIGHT).count() == 0


def test_one_query_has_a_value_but_no_interval(spark, defaults):
    found = by_key(evaluate_tail(ranked(spark, [{"rank": 2}]), popularity(spark), defaults.evaluate, NIGHT))
    row = found["m", "tail_next", "all", "mrr"]
    assert (row["value"], row["low"], row["high"], row["n"]) == (0.5, None, None, 1)


def test_perfect_ranks_are_one_and_k_may_exceed_the_catalogue(spark, defaults):
    rows = [{"user_id": f"u{n}", "top": ["a"]} for n in range(5)]
    found = by_key(evaluate_tail(ranked(spark, rows), popularity(spark), defaults.evaluate, NIGHT))
    for metric in ("mrr", "roc_auc", "accuracy@20", "recall@20", "ndcg@20", "map@20", "precision@1"):
        row = found["m", "tail_next", "all", metric]
        assert (row["value"], row["low"], row["high"]) == (1, 1, 1)
    assert found["m", "tail_next", "all", "precision@20"]["value"] == pytest.approx(1 / 20)
    assert found["m", "tail_next", "all", "coverage@20"]["value"] == 0.25


def test_a_user_with_many_queries_widens_the_interval(spark, defaults):
    """The same ranks say less when they are one user's habit than when they come from many."""
    ranks = [1] * 20 + [4] * 20
    alone = [{"user_id": f"u{n}", "rank": rank} for n, rank in enumerate(ranks)]
    alike = [{"user_id": f"u{n // 10}", "rank": rank} for n, rank in enumerate(ranks)]
    width = []
    for rows in (alone, alike):
        row = by_key(evaluate_tail(ranked(spark, rows), popularity(spark), defaults.evaluate, NIGHT))[
            "m", "tail_next", "all", "mrr"]  # fmt: skip
        width.append(row["high"] - row["low"])
    assert width[1] > 2 * width[0]


def test_a_published_list_counts_for_every_user_active(spark, defaults):
    rows = [
        {"user_id": "u1", "shown": ["a", "b"], "followed": ["b"], "ranks": [2]},
        {"user_id": "u2", "shown": ["a", "c"], "followed": ["a", "d"], "ranks": [1, None]},
        {"user_id": "u3", "shown": [], "followed": ["a"], "ranks": [None]},
    ]
    base = {"daypart": "weekend_day", "region": "", "shown_night": NIGHT, "model": "m"}
    made = evaluate_published(
        frame(spark, "feedback", [base | r for r in rows]), popularity(spark), defaults.evaluate, NIGHT
    )
    found = by_key(made)
    value = {metric: found["m", "published", "all", metric]["value"] for metric in ("mrr", "accuracy@1", "recall@5")}
    assert value == pytest.approx({"mrr": 1.5 / 3, "accuracy@1": 1 / 3, "recall@5": 1.5 / 3})
    assert {row["n"] for key, row in found.items() if key[3] == "mrr"} == {3}
    assert found["m", "published", "daypart=weekend_day", "coverage@1"]["value"] == 0.25


def test_lists_that_show_nothing_cover_nothing(spark):
    rows = spark.createDataFrame([("m", "p", ["all"], [], 4)], "model string, protocol string, slices array<string>, "
                                 "top array<string>, n_candidates int")  # fmt: skip
    found = {r["metric"]: r["value"] for r in breadth(rows, [1], popularity(spark)).collect()}
    assert found == {"coverage@1": 0.0, "novelty@1": None}


def test_popularity_is_what_the_catalogue_counted_anywhere(spark):
    catalogue = small.catalogue()
    n_dayparts = len(catalogue.dayparts)
    n = catalogue.popularity.toarray()[:n_dayparts].sum(axis=0)
    found = [tuple(row) for row in popularity_of(spark, catalogue).orderBy("item_id").collect()]
    assert found == list(zip(catalogue.item_ids, n.tolist(), strict=True))


def test_an_unbounded_mean_may_be_negative(spark):
    schema = "model string, protocol string, user_id string, slices array<string>, x double"
    rows = spark.createDataFrame([("m", "p", u, ["all"], x) for u, x in (("u", -1.0), ("v", -0.5))], schema)
    row = means(rows, {"x": rows["x"]}, standard_errors(0.95), bounded=False).collect()[0]
    wanted = oracle.clustered_mean([("u", -1.0), ("v", -0.5)], 0.95, bounded=False)
    assert (row["value"], row["low"], row["high"], row["n"]) == pytest.approx(wanted)


def test_the_summary_puts_the_best_first(spark, defaults):
    rows = [{"model": m, "rank": rank, "protocol": "tail_morning"} for m, rank in (("worse", 3), ("better", 1))]
    evaluations = evaluate_tail(ranked(spark, rows), popularity(spark), defaults.evaluate, NIGHT)
    table = summary(evaluations)
    assert [(row["model"], row["mrr"], row["n"]) for row in table] == [("better", 1.0, 1), ("worse", 1 / 3, 1)]
    assert summary(evaluations, "published") == []
