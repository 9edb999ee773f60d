import datetime as dt

from chispa import assert_df_equality

from chronotope.recommend.contexts import likely_contexts, seen_items, users_asked
from tests.recommend.world import histories, history, with_recommend
from tests.rows import frame


def forecast(user_id, daypart, region, probability, topic="food"):
    return {
        "user_id": user_id, "daypart": daypart, "region": region, "topic": topic, "probability": 0.5,
        "context_probability": probability, "model": "m",
    }  # fmt: skip


def test_contexts_come_likeliest_first_ties_by_name_and_once_for_all_topics(spark):
    forecasts = frame(
        spark,
        "forecasts",
        [
            forecast("u", "weekday", "west", 0.25),
            forecast("u", "weekday", "east", 0.25),
            forecast("u", "weekend", "east", 0.5, "food"),
            forecast("u", "weekend", "east", 0.5, "fun"),
            forecast("v", "weekday", "", 1.0),
        ],
    )
    expected = spark.createDataFrame(
        [("u", ["weekend", "weekday"], ["east", "east"]), ("v", ["weekday"], [""])],
        "user_id string, dayparts array<string>, regions array<string>",
    )
    assert_df_equality(likely_contexts(forecasts, 2), expected, ignore_nullable=True, ignore_row_order=True)


def test_seen_items_are_those_met_with_a_hiding_action(spark, defaults):
    counts = frame(
        spark,
        "counts",
        [
            {"user_id": "u", "item_id": "a", "n": 3, "hiding": 2},
            {"user_id": "u", "item_id": "a", "daypart": "weekday", "n": 1, "hiding": 1},
            {"user_id": "u", "item_id": "b", "n": 1, "hiding": 0},
            {"user_id": "v", "item_id": "b", "n": 1, "hiding": 1},
        ],
    )
    hide = with_recommend(defaults, seen="hide", hide_actions=["buy"]).recommend
    expected = spark.createDataFrame([("u", "a"), ("v", "b")], "user_id string, item_id string")
    assert_df_equality(seen_items(counts, hide), expected, ignore_nullable=True, ignore_row_order=True)
    assert seen_items(counts, with_recommend(defaults, seen="keep").recommend) is None


def test_every_user_with_a_history_is_asked_and_gets_what_is_known(spark, defaults):
    settings = with_recommend(defaults)
    rows = histories(spark, [history("u", [{}]), history("v", [{}])])
    forecasts = frame(
        spark, "forecasts", [forecast("u", "weekday", "west", 1.0), forecast("ghost", "weekday", "west", 1.0)]
    )
    states = frame(
        spark,
        "user_states",
        [
            {
                "user_id": "u",
                "model": "m",
                "as_of": dt.datetime(2012, 10, 1),
                "state": [1.0],
                "long": [2.0],
                "short": [3.0],
            }
        ],
    )
    hidden = spark.createDataFrame([("v", "a"), ("v", "b")], "user_id string, item_id string")
    found = {row.user_id: row for row in users_asked(rows, forecasts, states, hidden, settings.night, 24).collect()}
    assert set(found) == {"u", "v"}
    assert (found["u"].dayparts, found["u"].regions) == (["weekday"], ["west"])
    assert (found["v"].dayparts, found["v"].regions) == (["weekday", "weekend"], ["", ""])
    assert (found["u"].encoded, found["v"].encoded) == ([1.0, 2.0, 3.0], None)
    assert (found["u"].hidden, sorted(found["v"].hidden)) == (None, ["a", "b"])
