"""Rollback: an earlier night is the newest again, and nights go on from it."""

from __future__ import annotations

import pytest

from chronotope.errors import StoreError, UsageError
from chronotope.store.retain import retain
from chronotope.store.rollback import rollback
from chronotope.store.snapshot import open_snapshot, snapshots
from chronotope.store.upkeep import locked
from chronotope.store.vacuum import vacuum
from tests.store import kept
from tests.store.published import begin, day

OLD, MIDDLE, LAST = kept.NIGHTS


def run(tables_dir, to, dry_run=False):
    with locked(tables_dir, dry_run) as folder:
        return rollback(folder, day(to))


def test_the_night_is_the_newest_and_reads_as_it_did(tables_dir, before):
    run(tables_dir, MIDDLE)
    assert [snapshot.night for snapshot in snapshots(tables_dir)] == [day(OLD), day(MIDDLE)]
    assert kept.seen(tables_dir) == {key: rows for key, rows in before.items() if key[0] != LAST}
    with locked(tables_dir, dry_run=False) as folder:
        assert max(night for name in open_snapshot(tables_dir).versions for night in folder.files(name)) == day(MIDDLE)
        vacuum(folder)
    later = [path for path in kept.content(tables_dir) if LAST in path or kept.KILLED in path]
    assert later == []
    assert kept.seen(tables_dir) == {key: rows for key, rows in before.items() if key[0] != LAST}
    assert run(tables_dir, MIDDLE) == []


def test_the_night_after_it_can_be_run(spark, tables_dir, before, in_format):
    run(tables_dir, OLD)
    night = begin(spark, tables_dir, MIDDLE, in_format)
    assert night.before.night == day(OLD)
    with pytest.raises(StoreError, match="has no events yet"):
        night.rows("events")  # what it had staged before is given up
    kept.stage(night, kept.tables_of(MIDDLE)).publish()
    assert kept.seen(tables_dir) == {key: rows for key, rows in before.items() if key[0] != LAST}


def test_a_killed_one_leaves_every_published_night_whole_and_is_finished_by_the_next(tables_dir, before):
    assert kept.killed_after(tables_dir, 17, "rollback", OLD)
    between = kept.seen(tables_dir)
    assert between == {key: before[key] for key in between}
    assert run(tables_dir, OLD) == []
    assert kept.seen(tables_dir) == {key: rows for key, rows in before.items() if key[0] == OLD}


def test_a_dry_run_says_the_same_and_changes_nothing(tables_dir):
    before = kept.content(tables_dir)
    effects = run(tables_dir, OLD, dry_run=True)
    assert kept.content(tables_dir) == before
    assert {effect.night for effect in effects} == {day(night) for night in (MIDDLE, LAST, kept.KILLED)}
    assert run(tables_dir, OLD) == effects


def test_a_night_whose_refresh_was_retained_away_is_refused(tables_dir):
    with locked(tables_dir, dry_run=False) as folder:
        retain(folder, 1, with_history=False)
    with pytest.raises(StoreError, match=rf"night {OLD} stands on rows of \w+ of {OLD}, which `chronotope retain`"):
        run(tables_dir, OLD)


def test_a_night_that_was_not_published_is_refused(kept_folders, defaults):
    with pytest.raises(UsageError, match="night 2012-11-01 is not published"):
        run(kept_folders(defaults), kept.KILLED, dry_run=True)
