from __future__ import annotations

import datetime as dt

import pytest

from chronotope.evaluate.forecasts import evaluate_forecasts
from tests.evaluate.test_feedback import NIGHT, SHOWN, events
from tests.oracles import evaluate as oracle
from tests.rows import frame

TOPICS = [("a1", "A"), ("a2", "A"), ("b1", "B"), ("c1", "C"), ("d1", "D")]


POPULARITY = [("a1", 5), ("b1", 5)]


def measured(spark, defaults, forecasts, since, topics=TOPICS, popularity=POPULARITY):
    rows = [
        {"user_id": u, "daypart": "weekday_morning", "region": "", "topic": t, "probability": p}
        for u, t, p in forecasts
    ]
    made = evaluate_forecasts(
        frame(spark, "forecasts", rows),
        events(spark, *since),
        spark.createDataFrame(topics, "item_id string, topic string"),
        spark.createDataFrame(popularity, "item_id string, n bigint"),
        "m", SHOWN, NIGHT, defaults,
    )  # fmt: skip
    return {row["model"]: row for row in made.collect()}


def test_a_perfect_forecast_has_no_error(spark, defaults):
    found = measured(spark, defaults, [("u", "A", 1.0)], [("u", "a1", 8, {}), ("u", "a2", 8, {})])
    assert (found["m"]["value"], found["m"]["metric"], found["m"]["protocol"]) == (0, "mae", "forecast")


def test_the_worst_forecast_is_wrong_by_two_over_the_topics(spark, defaults):
    found = measured(spark, defaults, [("u", "B", 1.0)], [("u", "a1", 8, {})])
    assert found["m"]["value"] == pytest.approx(2 / 4)


def test_by_hand_with_a_user_without_forecast(spark, defaults):
    forecasts = [("u", "A", 0.5), ("u", "B", 0.3), ("u", "C", 0.2)]
    since = [("u", "a1", 8, {}), ("u", "d1", 8, {}), ("v", "b1", 8, {}), ("v", "nameless", 8, {})]
    found = measured(spark, defaults, forecasts, since)
    # u: |.5 - .5| + |.3 - 0| + |.2 - 0| + |0 - .5| = 1; v: uniform, |.25 - 1| + 3 * .25 = 1.5; of 4 topics each.
    assert (found["m"]["value"], found["m"]["n"]) == (pytest.approx((1 / 4 + 1.5 / 4) / 2), 2)
    # Popularity forecasts A and B, half each: u is off by 0 + .5 + .5 (D), v by .5 (A) + .5 (B).
    assert found["popularity"]["value"] == pytest.approx((1 / 4 + 1 / 4) / 2)
    assert found["m"]["low"] < found["m"]["value"] < found["m"]["high"]


MANY = [(f"i{n}", f"T{n}") for n in range(8)]


@pytest.mark.parametrize(
    ("named", "met"),
    [
        ({"T0": 0.5, "T1": 0.2}, ["i0", "i1"]),  # the rest costs, though nothing unnamed was met
        ({"T0": 0.5, "T1": 0.2}, ["i0", "i2", "i2", "i7"]),
        ({"T0": 0.5, "T1": 0.2}, ["i5"]),
        ({"T0": 0.6, "T1": 0.4}, ["i2", "i3"]),
        ({"T0": 0.0}, [f"i{n}" for n in range(8)]),
        ({f"T{n}": (n + 1) / 36 for n in range(8)}, ["i7", "i0", "i0"]),  # nothing is left to spread
        ({}, ["i0", "i3"]),
    ],
)
def test_the_rest_is_spread_evenly_over_the_topics_that_are_not_named(spark, defaults, named, met):
    found = measured(
        spark, defaults, [("u", topic, p) for topic, p in named.items()], [("u", item, 8, {}) for item in met], MANY
    )
    topics = [topic for _, topic in MANY]
    assert found["m"]["value"] == pytest.approx(oracle.forecast_mae(named, [dict(MANY)[item] for item in met], topics))


def test_one_distribution_costs_the_same_as_a_forecast_and_as_popularity(spark, defaults):
    since = [("u", item, 8, {}) for item in ("i0", "i2", "i2")]
    events = [(item, 50 if item == "i0" else 26 if item == "i1" else 4) for item, _ in MANY]  # of 100
    whole = [("u", topic, n / 100) for (_, topic), (_, n) in zip(MANY, events, strict=True)]
    for forecast in (whole, whole[:2]):
        found = measured(spark, defaults, forecast, since, MANY, events)
        assert found["m"]["value"] == pytest.approx(found["popularity"]["value"])
        # |.5 - 1/3| + .26 + |.04 - 2/3| + 5 * .04, of 8 topics
        assert found["m"]["value"] == pytest.approx((1 / 6 + 0.26 + 2 / 3 - 0.04 + 0.2) / 8)


def test_only_what_came_after_the_forecast_counts(spark, defaults):
    earlier = {"occurred_at": dt.datetime(2012, 10, 30, 23, tzinfo=dt.UTC)}
    assert measured(spark, defaults, [("u", "A", 1.0)], [("u", "b1", 8, earlier)]) == {}
