"""Compaction: fewer files, the same rows for every published night, and nights that go on."""

from __future__ import annotations

import json

import pytest

from chronotope.store.compact import compact, groups
from chronotope.store.upkeep import locked
from chronotope.store.vacuum import vacuum
from tests.store import kept
from tests.store.published import begin, day


def run(tables_dir, target_bytes=2**20, dry_run=False):
    with locked(tables_dir, dry_run) as folder:
        return compact(folder, target_bytes)


def test_every_night_reads_the_same_rows_from_fewer_files(tables_dir, before):
    staged = kept.staged_files(tables_dir)
    assert len(kept.named_files(tables_dir, "events")) > 3
    effects = run(tables_dir)
    assert len(kept.named_files(tables_dir, "events")) == 3
    assert {effect.night for effect in effects if effect.what == "events"} == {day(night) for night in kept.NIGHTS}
    assert kept.seen(tables_dir) == before
    assert kept.staged_files(tables_dir) == staged
    assert run(tables_dir) == []


def test_a_dry_run_says_the_same_and_changes_nothing(tables_dir):
    before = kept.content(tables_dir)
    effects = run(tables_dir, dry_run=True)
    assert kept.content(tables_dir) == before
    assert sum(effect.rows for effect in effects if effect.what == "events") == 12
    assert run(tables_dir) == effects


def test_files_of_the_target_size_are_left_alone(tables_dir):
    assert run(tables_dir, target_bytes=100) == []


def test_the_next_night_and_the_last_one_again_go_on(spark, tables_dir, before, in_format):
    run(tables_dir)
    with locked(tables_dir, dry_run=False) as folder:
        vacuum(folder)
    again = begin(spark, tables_dir, kept.NIGHTS[-1], in_format)
    assert again.rows("sessions").count() == 4
    again.begin("evaluate")
    rows = kept.tables_of(kept.NIGHTS[-1])
    kept.stage(again, {name: rows[name] for name in ("evaluations", "feedback")}, first="evaluate").publish()
    assert kept.seen(tables_dir) == before
    kept.publish_killed(spark, tables_dir, in_format)
    after = kept.seen(tables_dir)
    assert {key: rows for key, rows in after.items() if key in before} == before
    assert len(after[kept.KILLED, "events"]) == 16


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [
        ([3, 3, 3], [[0, 1, 2]]),
        ([6, 6, 3], [[1, 2]]),
        ([3, 10, 3], [[0, 2]]),
        ([9, 9], []),
        ([4, 4, 4, 4], [[0, 1], [2, 3]]),
        ([], []),
    ],
)
def test_small_files_are_merged_in_order_up_to_the_target(tmp_path, sizes, merged):
    paths = [tmp_path / str(number) for number in range(len(sizes))]
    for path, size in zip(paths, sizes, strict=True):
        path.write_bytes(b"x" * size)
    assert [[int(path.name) for path in group] for group in groups(paths, 10)] == merged


def test_readers_that_follow_the_log_are_told_that_no_row_changed(kept_folders, defaults, copied):
    tables_dir = copied(kept_folders(defaults))
    run(tables_dir)
    newest = sorted((tables_dir / "events" / "_delta_log").glob("*.json"))[-1]
    actions = [json.loads(line) for line in newest.read_text(encoding="utf-8").splitlines()]
    changes = [action[kind]["dataChange"] for action in actions for kind in ("add", "remove") if kind in action]
    assert changes == [False] * 9  # two files become one, in each of three nights
