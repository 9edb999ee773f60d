"""Full disks, read-only folders, damaged files and lost inputs: said plainly, nothing lost, nothing half-published."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess

import pytest

from chronotope.errors import DataError, StoreError, UsageError
from chronotope.store.snapshot import open_snapshot
from tests.nights.conftest import LAST
from tests.nights.processes import assert_same_night, is_close, published

FIRST = "2026-03-02"
pytestmark = pytest.mark.slow


@pytest.fixture
def night(nights, tmp_path):
    """A copy of the world and of the tables after the first night."""
    made = nights.elsewhere(tmp_path / "tables", tmp_path / "world")
    shutil.copytree(nights.world, made.world)
    shutil.copytree(nights.first, made.tables)
    return made


@pytest.fixture
def mounted(nights, tmp_path):
    """The tables after the first night on a file system of their own, with a MiB to spare."""
    made = nights.elsewhere(tmp_path / "mounted" / "tables")
    made.tables.parent.mkdir()
    used = sum(path.stat().st_size + 4096 for path in nights.first.rglob("*"))
    options = ["-t", "tmpfs", "-o", f"size={used + (1 << 20)}", "tmpfs", str(made.tables.parent)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True).returncode:
        pytest.skip("a file system of its own needs root and the right to mount")
    shutil.copytree(nights.first, made.tables)
    yield made
    subprocess.run(["umount", "--lazy", str(made.tables.parent)], check=True)


def assert_refused(ended, of, *said):
    """It ended with the error's exit code and said so in one line, after whatever Spark had to say."""
    assert ended.returncode == of.exit_code, ended.stdout + ended.stderr
    line = ended.stderr.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert [text for text in said if text not in line] == [], line


def assert_first_night_is_whole(night):
    snapshot = open_snapshot(night.tables)
    assert str(snapshot.night) == FIRST
    assert is_close(published(snapshot), published(open_snapshot(night.first)))


def test_a_full_disk_ends_the_night_which_goes_on_when_there_is_room(nights, mounted):
    free = shutil.disk_usage(mounted.tables.parent).free
    (mounted.tables.parent / "ballast").write_bytes(bytes(free - (64 << 10)))
    assert_refused(mounted.run(LAST), StoreError, "No space left on device", "free some", "the same command again")
    assert_first_night_is_whole(mounted)
    subprocess.run(["mount", "-o", "remount,size=64m", str(mounted.tables.parent)], check=True)
    again = mounted.run(LAST)
    assert again.returncode == 0, again.stdout + again.stderr
    assert_same_night(mounted.tables, nights.tables)


def test_a_read_only_folder_is_said_before_spark_starts(mounted):
    subprocess.run(["mount", "-o", "remount,ro", str(mounted.tables.parent)], check=True)
    ended = mounted.run(LAST)
    assert_refused(ended, UsageError, f"cannot write to --tables {mounted.tables}: Read-only file system")
    assert "SLF4J" not in ended.stderr
    assert_first_night_is_whole(mounted)


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_a_damaged_file_of_a_published_table_is_named(night, damage):
    [path] = night.tables.glob(f"events/night={FIRST}/*/*.parquet")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else bytes(len(content)))
    assert_refused(night.run(LAST), StoreError, f"table events: cannot read {path}", "Put the file back from a copy")
    path.write_bytes(content)
    assert_first_night_is_whole(night)


@pytest.mark.parametrize("table", ["runs", "events"])
def test_a_damaged_log_entry_is_named(night, table):
    entry = max((night.tables / table / "_delta_log").glob("*.json"))
    content = entry.read_bytes()
    entry.write_bytes(content[: len(content) // 2])
    assert_refused(night.run(LAST), StoreError, f"Delta table {night.tables / table}")
    entry.write_bytes(content)
    assert_first_night_is_whole(night)


def test_an_input_that_goes_away_while_spark_starts_is_named(night):
    process = night.start(LAST)
    process.wait_for(process.jvm)
    shutil.rmtree(night.world / "events" / f"day={LAST}")
    assert process.end() in (UsageError.exit_code, DataError.exit_code)
    assert f"day={LAST}" in process.complained.strip().splitlines()[-1]
    assert_first_night_is_whole(night)


def test_a_gzip_that_was_cut_off_is_named_and_nothing_of_it_taken(night):
    part = next((night.world / "events" / f"day={LAST}").glob("part-*"))
    whole = gzip.compress(part.read_bytes())
    part.unlink()
    cut = part.with_name("part-0.json.gz")
    cut.write_bytes(whole[: len(whole) // 2])
    assert_refused(
        night.run(LAST), DataError, f"cannot read the input {cut} to its end", "EOFException", "delivered again"
    )
    assert_first_night_is_whole(night)
