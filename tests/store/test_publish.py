"""Publishing is all or nothing for those who read through `runs`, also when it is killed half-way."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import textwrap

import pytest

from chronotope.errors import StoreError
from chronotope.store.formats import FORMATS
from chronotope.store.frames import read_files
from chronotope.store.manifest import write_json
from chronotope.store.publish import PLAN, plan_of, roll_forward
from chronotope.store.snapshot import open_snapshot, snapshots
from chronotope.store.sql import select
from chronotope.tables import TABLES
from tests.store.published import begin, day, publish, stage

FIRST, SECOND = "2012-10-30", "2012-10-31"
DIES_AT = textwrap.dedent("""\
    import os, signal, sys
    from pathlib import Path
    from chronotope.store.formats import FORMATS
    from chronotope.store.publish import roll_forward

    class Dying:
        def __init__(self, of, commits):
            self.of, self.commits = of, commits
        def __getattr__(self, name):
            return getattr(self.of, name)
        def replace_night(self, *args):
            if self.commits == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            self.commits -= 1
            return self.of.replace_night(*args)

    roll_forward(Path(sys.argv[1]), Dying(FORMATS[sys.argv[2]], int(sys.argv[3])))
""")


def tables_of(night, name):
    return {
        "events": [{"event_id": name}],
        "items": [{"item_id": "i1", "title": name}],
        "recommendations": [{"user_id": "s:u1", "rank": 1, "item_id": name}],
    }


def seen(tables_dir):
    """What a reader of the newest published night sees in three tables."""
    snapshot = open_snapshot(tables_dir)
    return [
        [row["event_id"] for row in select(snapshot, "SELECT event_id FROM events ORDER BY event_id").rows],
        [row["title"] for row in select(snapshot, "SELECT title FROM items").rows],
        [row["item_id"] for row in select(snapshot, "SELECT item_id FROM recommendations").rows],
    ]


def lose(tables_dir, night):
    """Remove what a night staged of the table items."""
    for path in tables_dir.glob(f"items/**/night={night}/*/*.parquet"):
        path.unlink()


def test_a_publication_killed_before_any_commit_is_finished_by_the_next_process(spark, tmp_path, in_format):
    name = in_format.night.format
    planned = tmp_path / "planned"
    publish(spark, planned, FIRST, in_format, tables_of(FIRST, "old"))
    night = stage(begin(spark, planned, SECOND, in_format), tables_of(SECOND, "new"))
    write_json(planned / PLAN, plan_of(night))
    for commits in range(4):  # three tables, then runs
        tables_dir = tmp_path / f"killed-after-{commits}"
        shutil.copytree(planned, tables_dir)
        child = subprocess.run([sys.executable, "-c", DIES_AT, str(tables_dir), name, str(commits)], check=False)
        assert child.returncode == -signal.SIGKILL
        assert open_snapshot(tables_dir).night == day(FIRST)
        assert seen(tables_dir) == [["old"], ["old"], ["old"]]
        assert begin(spark, tables_dir, SECOND, in_format).before.night == day(FIRST)  # opening rolls forward
        assert open_snapshot(tables_dir).night == day(SECOND)
        assert seen(tables_dir) == [["new", "old"], ["new"], ["new"]]
        assert not (tables_dir / PLAN).exists()


def test_readers_of_a_night_see_it_as_it_was_while_it_is_published_again(spark, tmp_path, in_format):
    name = in_format.night.format
    planned = tmp_path / "planned"
    publish(spark, planned, FIRST, in_format, {**tables_of(FIRST, "old"), "models": [{"model_id": "only before"}]})
    night = stage(begin(spark, planned, FIRST, in_format), tables_of(FIRST, "again"))
    write_json(planned / PLAN, plan_of(night))
    for commits in range(5):  # three tables, the one that it no longer writes, then runs
        tables_dir = tmp_path / f"killed-after-{commits}"
        shutil.copytree(planned, tables_dir)
        child = subprocess.run([sys.executable, "-c", DIES_AT, str(tables_dir), name, str(commits)], check=False)
        assert child.returncode == -signal.SIGKILL
        before = open_snapshot(tables_dir)
        assert seen(tables_dir) == [["old"], ["old"], ["old"]]
        assert [row["model_id"] for row in select(before, "SELECT model_id FROM models").rows] == ["only before"]
        events = read_files(spark, TABLES["events"], tables_dir / "events", before.paths("events")[day(FIRST)])
        assert [(row["event_id"], row["night"]) for row in events.collect()] == [("old", day(FIRST))]
        begin(spark, tables_dir, SECOND, in_format)  # opening rolls forward
        assert seen(tables_dir) == [["again"], ["again"], ["again"]]
        assert select(open_snapshot(tables_dir), "SELECT model_id FROM models").rows == []
        assert not list(tables_dir.rglob("_replaced"))
        if name == "parquet":  # whoever reads the folder as it is
            files = [list(tables_dir.glob(f"{table}/night=*/*/*.parquet")) for table in ("events", "models")]
            assert [len(of) for of in files] == [1, 0]


def test_rolling_forward_a_plan_that_was_carried_out_already_changes_nothing(spark, tmp_path, in_format):
    night = stage(begin(spark, tmp_path, FIRST, in_format), tables_of(FIRST, "a"))
    plan = plan_of(night)
    of = FORMATS[in_format.night.format]
    runs, written = [], []
    for _ in range(2):  # the second time as if it had been killed just before the plan was removed
        write_json(tmp_path / PLAN, plan)
        assert roll_forward(tmp_path, of)
        runs.append([(s.night, s.versions) for s in snapshots(tmp_path)])
        # Nor is a file that readers use written again: killed then, it would be torn.
        written.append({path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.parquet")})
    assert runs[0] == runs[1]
    assert written[0] == written[1]
    assert seen(tmp_path) == [["a"], ["a"], ["a"]]
    assert not roll_forward(tmp_path, of)


def test_a_staged_file_that_is_gone_stops_publishing_and_leaves_the_last_night(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, tables_of(FIRST, "old"))
    night = stage(begin(spark, tmp_path, SECOND, in_format), tables_of(SECOND, "new"))
    lose(tmp_path, SECOND)
    with pytest.raises(StoreError, match=r"table items: staged file .* is gone; run the night again"):
        night.publish()
    assert seen(tmp_path) == [["old"], ["old"], ["old"]]


def test_a_night_whose_publication_cannot_go_on_can_be_run_again(spark, tmp_path, defaults):
    night = stage(begin(spark, tmp_path, FIRST, defaults), tables_of(FIRST, "lost"))
    lose(tmp_path, FIRST)
    with pytest.raises(StoreError):
        night.publish()
    refused = "night 2012-10-30 was not published to the end, and cannot be now: .*; run that night again"
    with pytest.raises(StoreError, match=refused):
        begin(spark, tmp_path, SECOND, defaults)
    stage(begin(spark, tmp_path, FIRST, defaults), tables_of(FIRST, "cut off again"), last="sessions")
    with pytest.raises(StoreError, match=refused):  # what it has committed is still no night's
        begin(spark, tmp_path, SECOND, defaults)
    publish(spark, tmp_path, FIRST, defaults, tables_of(FIRST, "again"))
    assert seen(tmp_path) == [["again"], ["again"], ["again"]]
    assert begin(spark, tmp_path, SECOND, defaults).before.night == day(FIRST)


def test_readers_of_an_older_night_keep_their_versions(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, tables_of(FIRST, "old"))
    publish(spark, tmp_path, SECOND, in_format, tables_of(SECOND, "new"))
    before = open_snapshot(tmp_path, day(FIRST))
    assert [row["title"] for row in select(before, "SELECT title FROM items").rows] == ["old"]
    assert [row["night"] for row in select(before, "SELECT DISTINCT night FROM runs").rows] == [day(FIRST)]


def test_a_table_that_a_night_did_not_write_keeps_its_version(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, tables_of(FIRST, "old"))
    publish(spark, tmp_path, SECOND, in_format, {"events": [{"event_id": "new"}]})
    first, second = snapshots(tmp_path)
    assert second.versions["items"] == first.versions["items"]
    assert seen(tmp_path) == [["new", "old"], ["old"], ["old"]]


def test_an_unknown_night_and_an_empty_folder_say_what_to_do(spark, tmp_path, defaults):
    with pytest.raises(StoreError, match=r"no night is published here; run jobs/nightly.py first"):
        open_snapshot(tmp_path)
    publish(spark, tmp_path, FIRST, defaults, tables_of(FIRST, "old"))
    with pytest.raises(StoreError, match="night 2012-10-31 is not published here"):
        open_snapshot(tmp_path, day(SECOND))
