"""Each figure that a night is watched by, on small planted nights: what it is, and when it is too much."""

from __future__ import annotations

import datetime as dt

import pytest

from chronotope.config import load_settings
from chronotope.evaluate.alarms import PROTOCOL, alarms
from chronotope.evaluate.watch import Watched, makers, watch
from tests.oracles import watch as oracle
from tests.rows import frame

BEFORE, NIGHT = dt.date(2012, 10, 30), dt.date(2012, 10, 31)
MIDNIGHT = dt.datetime(2012, 11, 1, tzinfo=dt.UTC)  # the end of NIGHT
USERS = [f"u{n}" for n in range(40)]


def events(spark, *rows, night=NIGHT):
    """Rows of user, item, action and hours before the night's end."""
    end = MIDNIGHT - (NIGHT - night)
    return frame(spark, "events", [
        {"event_id": f"{night}-{n}", "user_id": user, "item_id": item, "action": action, "night": night,
         "occurred_at": end - dt.timedelta(hours=hours)} for n, (user, item, action, hours) in enumerate(rows)
    ])  # fmt: skip


def usual(spark, night=NIGHT, action="view", item="a", hours=1.0):
    return events(spark, *[(user, item, action, hours) for user in USERS], night=night)


def lists(spark, items, users=USERS):
    return frame(spark, "recommendations", [
        {"user_id": user, "daypart": "weekend_day", "region": "", "rank": rank, "item_id": item}
        for user in [*users, "*"] for rank, item in enumerate(items, 1)
    ])  # fmt: skip


def rejects(spark, n):
    return frame(spark, "rejects", [{"record_id": f"r{i}", "copy": 1, "source": "s"} for i in range(n)])


def interests(spark, term="tea", users=USERS):
    rows = [{"user_id": user, "horizon": of, "terms": [(term if of == "short" else "x", 1.0)]}
            for user in users for of in ("long", "short")]  # fmt: skip
    return frame(spark, "interests", rows)


def watched(spark, settings, night=NIGHT, earlier=None, **planted):
    parts = {
        "events": usual(spark, night), "rejects": rejects(spark, 0), "interests": interests(spark),
        "lists": lists(spark, ["a", "b"]), "lists_before": None,
        "buckets": spark.createDataFrame([("a", "0001"), ("b", "1000")], "item_id string, bucket string"),
        "encoder": "encoder", "earlier": frame(spark, "evaluations", []) if earlier is None else earlier,
    }  # fmt: skip
    return watch(Watched(**parts | planted), settings, night).cache()  # tests look at it more than once


def figures(made):
    return {(row["metric"], row["slice"]): (row["value"], row["high"], row["n"])
            for row in made.collect() if row["metric"] != "share"}  # fmt: skip


def raised(made):
    return [alarm.metric for alarm in alarms(row.asDict() for row in made.collect())]


@pytest.fixture(scope="module")
def ordinary(_spark_session, defaults):
    """What an ordinary night left in `evaluations`."""
    made = watched(_spark_session, defaults, BEFORE, rejects=rejects(_spark_session, 1))
    return [row.asDict() for row in made.collect()]


@pytest.fixture
def earlier(spark, ordinary):
    """What the night before left in `evaluations`, with a row of another protocol beside it."""
    other = {"model": "m", "protocol": "tail_next", "slice": "all", "metric": "mrr", "value": 1.0, "n": 1}
    return frame(spark, "evaluations", [*ordinary, other | {"night": BEFORE}])


def test_a_first_night_is_measured_and_silent_about_what_it_cannot_compare(spark, defaults):
    made = watched(spark, defaults, rejects=rejects(spark, 10))
    assert figures(made) == {
        ("newest_event_age_h", "source=s"): (1.0, 24.0, 40),
        ("reject_share", "source=s"): (0.2, None, 50),
        ("share_without_list", "all"): (0.0, 0.05, 40),
    }
    assert raised(made) == []
    assert {row["protocol"] for row in made.collect()} == {PROTOCOL}
    shares = {(row["model"], row["slice"]): (row["value"], row["n"])
              for row in made.collect() if row["metric"] == "share"}  # fmt: skip
    assert shares == {
        ("night", "action=view"): (1.0, 40), (makers("", defaults.interest)["term"], "term=tea"): (1.0, 40),
        ("encoder", "bucket=0001"): (1.0, 40),
    }  # fmt: skip


def test_an_ordinary_night_after_an_ordinary_one_raises_nothing(spark, defaults, earlier):
    made = watched(spark, defaults, earlier=earlier, lists_before=lists(spark, ["b", "c"]), rejects=rejects(spark, 1))
    found = figures(made)
    assert raised(made) == []
    assert found["list_churn", "all"] == (0.5, 0.9, 80)
    assert found["reject_share", "source=s"] == pytest.approx((1 / 41, 3 / 41, 41))
    for name in ("psi_actions", "psi_interests", "psi_embeddings"):
        value, high, n = found[name, "all"]
        assert (value, n) == (pytest.approx(0), 40)
        assert high >= 0.25


@pytest.mark.parametrize(
    ("metric", "planted"),
    [
        ("newest_event_age_h", lambda spark: {"events": usual(spark, hours=24.5)}),
        ("reject_share", lambda spark: {"rejects": rejects(spark, 4)}),
        ("share_without_list", lambda spark: {"lists": lists(spark, ["a", "b"], USERS[:37])}),
        ("list_churn", lambda spark: {"lists_before": lists(spark, ["y", "z"])}),
        ("psi_actions", lambda spark: {"events": usual(spark, action="buy")}),
        ("psi_interests", lambda spark: {"interests": interests(spark, "jazz")}),
        ("psi_embeddings", lambda spark: {"events": usual(spark, item="b")}),
    ],
)
def test_each_alarm_is_raised_by_its_own_fault_alone(spark, defaults, earlier, metric, planted):
    parts = {"lists_before": lists(spark, ["a", "b"])} | planted(spark)
    assert raised(watched(spark, defaults, earlier=earlier, **parts)) == [metric]


@pytest.mark.parametrize(
    ("usually", "shortfall"), [([4000, 40, 36], 36 / 8), ([40, 20, 40], 20 / 8), ([40, 0, 40], 0), ([4000, 40], None)]
)
def test_a_delivery_that_broke_off_has_fewer_events_than_the_sparsest_night(spark, defaults, usually, shortfall):
    """A first night that took in a long history is one of the trailing ones, and no measure of what is few."""
    age = {"model": "night", "protocol": PROTOCOL, "metric": "newest_event_age_h", "slice": "source=s", "value": 1.0}
    before = [age | {"n": n, "night": NIGHT - dt.timedelta(days=day)} for day, n in enumerate(usually, 1)]
    few = events(spark, *[(user, "a", "view", 1.0) for user in USERS[:8]])
    made = watched(spark, defaults, earlier=frame(spark, "evaluations", before), events=few)
    found = figures(made).get(("event_shortfall", "source=s"))
    assert found == (None if shortfall is None else (shortfall, 4.0, 8))
    assert raised(made) == (["event_shortfall"] if shortfall and shortfall > 4 else [])


def test_a_source_that_stays_silent_grows_older_until_it_is_no_longer_expected(spark, defaults, earlier):
    silent = watched(spark, defaults, earlier=earlier, events=events(spark))
    assert figures(silent)["newest_event_age_h", "source=s"] == (25.0, 24.0, 0)
    assert raised(silent) == ["newest_event_age_h"]
    late = watched(spark, defaults, earlier=earlier, events=usual(spark, hours=30))  # only late events came
    assert figures(late)["newest_event_age_h", "source=s"] == (25.0, 24.0, 40)
    week_later = NIGHT + dt.timedelta(days=6)
    assert ("newest_event_age_h", "source=s") not in figures(
        watched(spark, defaults, week_later, earlier=earlier, events=events(spark))
    )


def test_a_night_without_events_measures_nothing_about_users(spark, defaults, earlier):
    made = watched(spark, defaults, earlier=earlier, events=events(spark), lists_before=lists(spark, ["a"]))
    assert [row["metric"] for row in made.collect()] == ["newest_event_age_h"]


def test_nights_older_than_the_trailing_days_count_for_nothing(spark, settings_file, earlier):
    settings = load_settings(settings_file, overrides=["alarms.trailing_days=2"])
    made = watched(spark, settings, BEFORE + dt.timedelta(days=3), earlier=earlier, events=usual(spark, action="buy"))
    assert not any(name.startswith("psi") for name, _ in figures(made))


def test_the_trailing_nights_are_pooled_by_users(spark, defaults, earlier):
    more = watched(spark, defaults, BEFORE - dt.timedelta(days=1),
                   events=events(spark, ("u1", "a", "buy", 1), ("u2", "a", "view", 1)))  # fmt: skip
    made = watched(spark, defaults, earlier=earlier.unionByName(more), events=usual(spark, action="buy"))
    wanted = oracle.psi({"buy": 40.0}, {"view": 41.0, "buy": 1.0}, 40, 42)
    assert figures(made)["psi_actions", "all"][0] == pytest.approx(wanted)


def test_other_interest_settings_are_no_drift_of_people(spark, defaults, earlier):
    interest = defaults.interest.model_copy(update={"half_life_short_days": 1.0})
    made = watched(spark, defaults.model_copy(update={"interest": interest}), earlier=earlier,
                   interests=interests(spark, "jazz"))  # fmt: skip
    assert raised(made) == []
    assert {name for name, _ in figures(made)} >= {"psi_actions", "psi_embeddings"}
    assert ("psi_interests", "all") not in figures(made)


def test_a_few_users_that_differ_by_chance_raise_nothing(spark, defaults, earlier):
    few = events(spark, ("u1", "b", "view", 1), ("u2", "a", "view", 1))
    made = watched(spark, defaults, earlier=earlier, events=few)
    value, high, n = figures(made)["psi_embeddings", "all"]
    assert 0.25 < value < high
    assert n == 2
    assert raised(made) == []


def test_lists_that_were_not_there_last_night_are_no_churn(spark, defaults, earlier):
    made = watched(spark, defaults, earlier=earlier, lists_before=lists(spark, ["a", "b"], USERS[:5]))
    assert figures(made)["list_churn", "all"] == (0.0, 0.9, 10)
