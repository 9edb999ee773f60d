"""SIGKILL wherever it hurts: the last published night reads whole, and the same command again finishes the night."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import signal
import time

import pytest

from chronotope.errors import LockedError, LostError
from chronotope.flow import STAGES
from chronotope.store.publish import PLAN
from chronotope.store.snapshot import open_snapshot
from tests.nights.conftest import LAST
from tests.nights.processes import PATIENCE_S, assert_same_night, is_close, kill_in_commit, published

FIRST = "2026-03-02"
# For each stage a sign that it is in the middle of its work: a line of its log, or something that lies there.
MIDDLE = {
    "ingest": "  demo: ",
    "interest": "  term_sums: ",
    "sessions": "  counts: ",
    "embed": f"item_embeddings/night={LAST}/*/_temporary",
    "train": f"_night/{LAST}/scratch/*/histories/_SUCCESS",
    "infer": "  user_states: ",
    "recommend": f"recommendations/night={LAST}/*/_temporary",
    "evaluate": "  feedback: ",
}


@pytest.fixture(scope="module")
def undisturbed(nights, tmp_path_factory):
    """The second night as it should come out, over a world with texts that are new that day."""
    folder = tmp_path_factory.mktemp("undisturbed")
    world = folder / "world"
    shutil.copytree(nights.world, world)
    catalogue = world / "items" / "items.csv"
    head, *lines = catalogue.read_text(encoding="utf-8").splitlines()
    title = head.split(",").index("title")
    renamed = [",".join([*(w := line.split(","))[:title], f"new {w[title]}", *w[title + 1 :]]) for line in lines]
    catalogue.write_text("\n".join([head, *renamed]) + "\n", encoding="utf-8")
    night = nights.elsewhere(folder / "tables", world, ("night.refresh_days=1",))  # with a training to be killed
    shutil.copytree(nights.first, night.tables)
    done = night.run(LAST)
    assert done.returncode == 0, done.stdout + done.stderr
    return night


@pytest.fixture
def broken(undisturbed, tmp_path):
    """The tables after the first night, for a second night that will not go well."""
    night = undisturbed.elsewhere(tmp_path / "tables", undisturbed.world)
    shutil.copytree(night.first, night.tables)
    return night


def assert_first_night_is_whole(night):
    snapshot = open_snapshot(night.tables)
    assert snapshot.night == dt.date.fromisoformat(FIRST)
    assert is_close(published(snapshot), published(open_snapshot(night.first)))


def in_the_middle(process, tables, stage):
    sign = MIDDLE[stage]
    process.wait_for(lambda: list(tables.glob(sign)) if "*" in sign else sign in process.said)


@pytest.mark.slow
def test_a_driver_killed_in_every_stage_and_twice_while_it_publishes(undisturbed, broken):
    for place, stage in enumerate(STAGES):
        process = broken.start(LAST)
        in_the_middle(process, broken.tables, stage)
        process.kill()
        if place > 1:  # the run before ended in the stage before this one
            assert f"goes on from {STAGES[place - 1]}: {STAGES[place - 1]} had not finished" in process.said
            assert f"] {STAGES[place - 2]} ..." not in process.said
        assert_first_night_is_whole(broken)
    for at in ("transitions", "user_states"):  # tables that the first night has too
        process = broken.start(LAST)
        kill_in_commit(process, broken.tables, at)
        assert_first_night_is_whole(broken)
    finished = broken.run(LAST)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert not (broken.tables / PLAN).exists()
    assert_same_night(broken.tables, undisturbed.tables)


def kill_workers(process, seconds):
    """Kill every Python worker as it comes, until the night ends or the time is over; how many."""
    killed, until = set(), time.monotonic() + seconds
    while process.child.poll() is None and time.monotonic() < until:
        for pid in set(process.workers()) - killed:
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        time.sleep(0.01)
    return len(killed)


@pytest.mark.slow
def test_python_workers_and_the_jvm_are_killed(undisturbed, broken):
    process = broken.start(LAST)
    process.wait_to_say("] sessions ...")
    os.kill(process.jvm(), signal.SIGKILL)
    assert process.end() == LostError.exit_code, process.complained
    assert "error: Spark's JVM ended" in process.complained
    assert_first_night_is_whole(broken)
    for stage in ("embed", "infer"):
        process = broken.start(LAST)
        process.wait_to_say(f"] {stage} ...")
        assert kill_workers(process, PATIENCE_S) >= 4  # a task may fail so often
        assert process.end() == LostError.exit_code, process.complained
        assert "error: a Python worker was killed" in process.complained
        assert_first_night_is_whole(broken)
    process = broken.start(LAST)
    process.wait_to_say("] infer ...")
    os.kill(process.wait_for(process.workers)[0], signal.SIGKILL)
    assert process.end() == 0, process.complained
    assert "goes on from infer" in process.said
    assert_same_night(broken.tables, undisturbed.tables)


@pytest.mark.slow
def test_of_two_first_nights_at_once_one_wins_and_the_other_changes_nothing(nights, tmp_path):
    night = nights.elsewhere(tmp_path / "tables")
    both = [night.start(FIRST), night.start(FIRST)]
    codes = [process.end() for process in both]
    assert sorted(codes) == [0, LockedError.exit_code]
    assert "is in use by process" in both[codes.index(LockedError.exit_code)].complained
    assert_same_night(night.tables, nights.first)
