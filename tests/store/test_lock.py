"""One process at a time: the lock between two real ones."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys

import pytest

from chronotope.errors import LockedError, StoreError, UsageError
from chronotope.store.lock import exclusive

HOLDER = """
import sys, time
from pathlib import Path
from chronotope.store.lock import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock."""
    child = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "held\n"
    yield child
    child.kill()
    child.wait()
    child.stdout.close()


def test_a_second_process_is_told_who_holds_the_tables(tmp_path, holder):
    with pytest.raises(LockedError, match=f"in use by process {holder.pid}"), exclusive(tmp_path):
        pytest.fail("two held the lock")


def test_a_killed_holder_leaves_no_lock(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    with exclusive(tmp_path):
        assert (tmp_path / "_night" / "lock").read_text(encoding="utf-8") == str(os.getpid())


def test_the_lock_can_be_taken_again_after_it_is_left(tmp_path):
    for _ in range(2):
        with exclusive(tmp_path):
            assert (tmp_path / "_night" / "lock").is_file()


@pytest.fixture
def no_room():
    """A process that may write no byte to a file, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_without_room_for_the_lock_says_so(tmp_path, no_room):
    with pytest.raises(StoreError, match=r"cannot write \S+/_night/lock: File too large; make room there") as caught, \
            exclusive(tmp_path):  # fmt: skip
        pytest.fail("the lock was not written")
    assert caught.value.exit_code == 5


def test_a_folder_that_cannot_be_made_is_the_callers_mistake(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot write to --tables"), exclusive(tmp_path / "file"):
        pytest.fail("a file is no folder")
