"""Retention: old nights leave the tables where nobody reads them again, and no others."""

from __future__ import annotations

import pytest

from chronotope.store.retain import COMPARED, HISTORY, LOGS, LOOKED_UP, last_dropped, retain
from chronotope.store.snapshot import open_snapshot
from chronotope.store.upkeep import locked
from chronotope.tables import TABLES
from tests.store import kept
from tests.store.published import day, publish

OLD, MIDDLE, LAST = kept.NIGHTS


def run(tables_dir, nights, with_history=False, dry_run=False):
    with locked(tables_dir, dry_run) as folder:
        return retain(folder, nights, with_history)


def nights_of(tables_dir, name):
    with locked(tables_dir, dry_run=True) as folder:
        return [str(night) for night in folder.files(name)]


def test_each_table_of_all_nights_is_a_log_history_or_looked_up():
    assert sorted([*LOGS, *HISTORY, *LOOKED_UP]) == sorted(
        t.name for t in TABLES.values() if t.current == "all" and not t.renewed
    )


@pytest.mark.parametrize(
    ("nights", "name", "left"),
    [
        (1, "recommendations", [MIDDLE, LAST]),  # the last night meets the lists of the one before, when it runs again
        (1, "user_states", [MIDDLE, LAST]),
        (2, "recommendations", [OLD, MIDDLE, LAST]),
        (1, "feedback", [LAST]),
        (1, "evaluations", [OLD, MIDDLE, LAST]),  # alarms compare with them
        (1, "terms", [OLD, LAST]),  # the middle night counted none: it reads those of the old one
        (1, "events", [OLD, MIDDLE, LAST]),
        (1, "items", [OLD, MIDDLE, LAST]),
        (1, "interests", [MIDDLE, LAST]),  # each of these nights is a refresh
        (1, "counts", [MIDDLE, LAST]),
        (5, "recommendations", [OLD, MIDDLE, LAST]),
    ],
)
def test_old_nights_leave_the_tables_that_no_later_night_reads(kept_folders, defaults, copied, nights, name, left):
    tables_dir = copied(kept_folders(defaults))
    run(tables_dir, nights)
    assert nights_of(tables_dir, name) == left


def test_the_nights_kept_read_what_they_read_before(spark, tables_dir, before, in_format):
    run(tables_dir, 1)
    after = kept.seen(tables_dir)
    assert {key for key in before if after[key] != before[key]} == {(OLD, "recommendations")}
    assert after[OLD, "recommendations"] == []
    assert run(tables_dir, 1) == []
    kept.publish_killed(spark, tables_dir, in_format)
    assert len(kept.seen(tables_dir, ["events"])[kept.KILLED, "events"]) == 16


def test_history_goes_only_when_it_is_asked_for(tables_dir):
    effects = run(tables_dir, 1, with_history=True)
    assert {effect.what for effect in effects} & set(HISTORY) == {"transitions"}
    assert nights_of(tables_dir, "transitions") == [LAST]
    assert nights_of(tables_dir, "events") == [OLD, MIDDLE, LAST]  # copies of these may still come
    assert nights_of(tables_dir, "sessions") == [OLD, MIDDLE, LAST]


@pytest.fixture
def long_ago(spark, tmp_path, in_format):
    """Nights of three weeks, the last of which reads the events of seven days before the one before it at most."""
    for date in ("2012-10-08", "2012-10-20", "2012-10-22", "2012-10-23", OLD, MIDDLE, LAST):
        rows = {} if date == "2012-10-22" else {"events": [{"event_id": date}], "rejects": [{"record_id": date}]}
        rows["evaluations"] = [{"metric": date}]
        publish(spark, tmp_path, date, in_format, rows)
    return tmp_path


def test_what_copies_and_alarms_compare_with_is_kept_for_days_more(long_ago):
    run(long_ago, 1)
    assert last_dropped(open_snapshot(long_ago), "s") is None
    assert nights_of(long_ago, "evaluations") == ["2012-10-23", OLD, MIDDLE, LAST]
    run(long_ago, 1, with_history=True)
    for name in COMPARED:
        assert nights_of(long_ago, name) == ["2012-10-23", OLD, MIDDLE, LAST]
    dropped = last_dropped(open_snapshot(long_ago), "s")
    assert dropped == day("2012-10-20"), "the night after it had no events"
    assert last_dropped(open_snapshot(long_ago, day(OLD)), "s") == dropped


def test_the_evaluations_of_the_night_that_measured_the_models_stay(spark, tmp_path, in_format):
    nights = ["2012-10-08", "2012-10-22", "2012-10-23"]
    for date in nights:
        measured = {"models": kept.tables_of(date)["models"]} if date == nights[0] else {}
        publish(spark, tmp_path, date, in_format, {"evaluations": [{"metric": date}], **measured})
    run(tmp_path, 1)
    assert nights_of(tmp_path, "evaluations") == nights


def test_a_dry_run_says_the_same_and_changes_nothing(tables_dir):
    before = kept.content(tables_dir)
    effects = run(tables_dir, 1, dry_run=True)
    assert kept.content(tables_dir) == before
    assert {effect.night for effect in effects} == {day(OLD), day(MIDDLE)}
    assert run(tables_dir, 1) == effects
