"""The files of a world against its planted counts, judged without Spark."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from zoneinfo import ZoneInfo

import pytest

from chronotope.errors import UsageError
from chronotope.store.world import MARK, write_world
from chronotope.world.build import build_world
from chronotope.world.cities import CITIES
from chronotope.world.options import BROKEN
from tests.oracles import world as oracle
from tests.world.sizes import sized

ZONES = {city.name: ZoneInfo(city.zone) for city in CITIES}


def test_refusals_per_day_and_reason_are_the_planted_ones(written):
    assert {day: dict(found) for day, found in written.refused.items()} == written.planted["refused"]


def test_every_kind_of_fault_is_there(written):
    kinds = {kind for found in written.refused.values() for kind in found}
    assert kinds == {*BROKEN, "too_late", "duplicate"}


def test_what_is_taken_in_is_what_was_planted(written):
    assert len(written.accepted) == written.planted["events"] == sum(written.planted["accepted"].values())
    assert Counter(record["day"] for record in written.accepted) == written.planted["accepted"]
    assert len({record["user"] for record in written.accepted}) == written.planted["active_users"]


def test_late_events_are_counted_and_no_others_come_after_their_day(written):
    late = Counter(
        record["day"] for record in written.accepted
        if dt.datetime.fromisoformat(record["ts"]).astimezone(dt.UTC).date().isoformat() != record["day"]
    )  # fmt: skip
    assert late == Counter({day: n for day, n in written.planted["late"].items() if n})
    assert sum(late.values()) > 100


def test_refused_records_stay_below_the_share_that_fails_a_night(written, defaults):
    for day, refused in written.refused.items():
        assert refused.total() <= defaults.ingest.max_reject_share * written.planted["records"][day]


def test_a_gap_of_half_an_hour_finds_the_sessions(written):
    times = defaultdict(list)
    for record in written.accepted:
        times[record["user"]].append(dt.datetime.fromisoformat(record["ts"]))
    assert sum(oracle.sessions(of_user, 1800) for of_user in times.values()) == written.planted["sessions"]


def test_offsets_are_those_of_the_city_over_both_clock_changes(written):
    seen = defaultdict(set)
    for record in written.accepted:
        at = dt.datetime.fromisoformat(record["ts"])
        assert at.utcoffset() == at.astimezone(ZONES[record["city"]]).utcoffset()
        seen[record["city"]].add(at.utcoffset())
    assert {city for city, offsets in seen.items() if len(offsets) == 2} == {
        "Berlin", "London", "Paris", "New York", "Toronto",
    }  # fmt: skip


def test_nights_are_quiet_and_days_are_not(written):
    hours = Counter(dt.datetime.fromisoformat(record["ts"]).hour for record in written.accepted)
    assert not any(hours[hour] for hour in (2, 3, 4, 5, 22, 23))
    assert all(hours[hour] for hour in (0, 6, 8, 11, 14, 16, 18, 20))
    assert hours[20] > 3 * hours[0]


def test_fields_fit_the_action(written):
    for record in written.accepted:
        assert ("item" in record) == ("query" not in record) == (record["action"] != "search")
        assert ("value" in record) == (record["action"] in ("buy", "rate"))
        if record["action"] == "rate":
            assert record["value"] in (1, 2, 3, 4, 5)
    assert {record["action"] for record in written.accepted} == oracle.ACTIONS


def test_an_item_is_viewed_before_it_is_bought(written):
    steps = defaultdict(list)
    for record in sorted(written.accepted, key=lambda record: dt.datetime.fromisoformat(record["ts"])):
        if record["action"] != "search":
            steps[record["user"], record["item"]].append(record["action"])
    bought = [actions for actions in steps.values() if "buy" in actions]
    viewed = sum("view" in actions[: actions.index("buy")] for actions in bought)
    assert viewed >= 0.95 * len(bought) > 100


def test_a_log_is_in_the_order_of_time_within_each_file(written):
    truth = written.truth("records").drop_duplicates("event_id").set_index("event_id")["occurred_s"]
    for path in (written.folder / "events" / "day=2026-03-10").glob("part-*"):
        with path.open(encoding="utf-8") as lines:
            times = [truth[line.split('"')[3]] for line in lines]
        assert times == sorted(times)


def test_a_folder_with_something_else_is_left_alone(spark, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / MARK).write_text("{}", encoding="utf-8")
    with pytest.raises(UsageError, match=r"holds 'thesis.txt', which is no part of a world"):
        write_world(spark, build_world(spark, sized()), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == [MARK, "thesis.txt", "truth"]


def test_a_folder_that_cannot_be_made_is_named(spark, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot write a world into"):
        write_world(spark, build_world(spark, sized()), tmp_path / "file" / "world")


@pytest.mark.slow
def test_a_world_can_be_written_over(spark, tmp_path):
    write_world(spark, build_world(spark, sized(days=4)), tmp_path)
    planted = write_world(spark, build_world(spark, sized(days=2)), tmp_path)
    refused, accepted = oracle.judge(tmp_path / "events")
    assert {day: dict(found) for day, found in refused.items()} == planted["refused"]
    assert len(accepted) == planted["events"]
