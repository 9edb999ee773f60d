"""Nights as processes that can be watched and killed, and what was published before and after."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chronotope.store.publish import PLAN
from chronotope.store.snapshot import Snapshot, open_snapshot
from chronotope.store.sql import select
from chronotope.tables import TABLES
from tests.conftest import ROOT

POLL_S = 0.002
PATIENCE_S = 300  # far more than any of these waits takes on a busy machine
CLOSE = {"rel_tol": 1e-5, "abs_tol": 1e-9}


class Process:
    """A night that runs, and what it has said so far."""

    def __init__(self, command: list[str], output: Path, environment: dict[str, str] | None = None, **options: Any):
        self.output = output
        environment = environment or {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
        with output.open("wb") as out, output.with_suffix(".err").open("wb") as err:
            self.child = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=out, stderr=err, start_new_session=True, **options
            )

    @property
    def pid(self) -> int:
        return self.child.pid

    @property
    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    @property
    def complained(self) -> str:
        return self.output.with_suffix(".err").read_text(encoding="utf-8")

    def wait_for(self, seen: Callable[[], Any]) -> Any:
        """What `seen` gives, once it is true; the process must not end before."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            found = seen()
            if found:
                return found
            if self.child.poll() is not None:
                break
            time.sleep(POLL_S)
        self.sweep()
        raise AssertionError(f"it ended too early, or this was never seen\n{self.said}\n{self.complained}")

    def wait_to_say(self, text: str) -> None:
        self.wait_for(lambda: text in self.said)

    def kill(self) -> None:
        """SIGKILL to the driver alone; what it started has to see for itself that it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.end() == -signal.SIGKILL

    def sweep(self) -> None:
        """End all that is left of it."""
        for pid in members(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def end(self) -> int:
        """The exit code, once it has ended and all that it started has too."""
        code = self.child.wait(PATIENCE_S)
        until = time.monotonic() + PATIENCE_S
        while members(self.pid) and time.monotonic() < until:
            time.sleep(0.05)
        assert not members(self.pid)
        return code

    def jvm(self) -> int:
        """Spark's JVM; 0 before it runs."""
        return next((pid for pid in members(self.pid) if "/bin/java" in words_of(pid).split(" ")[0]), 0)

    def workers(self) -> list[int]:
        """The Python workers that Spark has forked: grandchildren of a JVM, by way of its Python daemon."""
        return [pid for pid in members(self.pid) if is_daemon(pid) and is_daemon(parent(pid))]


def members(session: int) -> list[int]:
    """The living processes of a session."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and session_of(int(entry)) == session]


def session_of(pid: int) -> int:
    stat = status(pid)
    return int(stat[3]) if stat and stat[0] != "Z" else 0


def parent(pid: int) -> int:
    stat = status(pid)
    return int(stat[1]) if stat else 0


def status(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name: state, parent, group, session, ...; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    except OSError:
        return []


def words_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
    except OSError:
        return ""


def is_daemon(pid: int) -> bool:
    words = words_of(pid)
    return bool(re.match(r"\S*python\S* -m (pyspark\.daemon|chronotope\.store\.python_daemon) ", words))


def kill_in_commit(process: Process, tables: Path, at: str) -> None:
    """Kill the driver when it has committed every table of its plan before `at`, and neither that one nor `runs`.

    Commits take milliseconds, so the process is held there: where delta-rs looks for the table's last checkpoint lies a
    pipe that nobody writes to. Nothing else that the night does before it publishes may read the table.
    """
    pipe = tables / at / "_delta_log" / "_last_checkpoint"
    os.mkfifo(pipe)
    plan = process.wait_for(lambda: (tables / PLAN).is_file() and json.loads((tables / PLAN).read_text()))
    before = list(plan["tables"])[: list(plan["tables"]).index(at)]
    parts = {name: plan["tables"][name] for name in before if plan["tables"][name]["files"]}  # no rows are no commit
    process.wait_for(lambda: all(is_committed(tables / name, part["attempt"]) for name, part in parts.items()))
    process.kill()
    pipe.unlink()
    assert (tables / PLAN).exists()
    assert not is_committed(tables / at, plan["tables"][at]["attempt"])


def is_committed(root: Path, attempt: str) -> bool:
    """Whether the newest entry of a table's log is that of an attempt."""
    return f"/{attempt}" in max((root / "_delta_log").glob("*.json")).read_text(encoding="utf-8")


def python(*command: str) -> list[str]:
    return [sys.executable, *command]


def published(snapshot: Snapshot) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of a published night, by key; without what tells when and how long it ran."""
    rows = {}
    for name, table in TABLES.items():
        key = ", ".join(dict.fromkeys((*table.key, "night")))  # of a key there may be a row of each night
        rows[name] = select(snapshot, f"SELECT * FROM {name}_history WHERE night <= DATE '{snapshot.night}' "
                                      f"ORDER BY {key}").rows  # fmt: skip
    for row in rows["runs"]:
        for name in ("finished_at", "seconds", "versions", "bytes_written", "peak_memory_bytes"):
            del row[name]
    return rows


def assert_same_night(tables: Path, other: Path) -> None:
    """The newest nights of two folders are equal: keys and sets exactly, numbers within 1e-5 relative."""
    one, two = open_snapshot(tables), open_snapshot(other)
    assert one.night == two.night
    left, right = published(one), published(two)
    for name, table in TABLES.items():
        keys = [[tuple(row[k] for k in table.key) for row in rows[name]] for rows in (left, right)]
        assert keys[0] == keys[1], name
        for row, twin in zip(left[name], right[name], strict=True):
            assert is_close(row, twin), (name, row, twin)


def is_close(one: Any, two: Any) -> bool:
    """Whether two values are equal, numbers within them nearly."""
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, **CLOSE) or (math.isnan(one) and math.isnan(two))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(is_close(value, two[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(two, list | tuple):
        return len(one) == len(two) and all(is_close(a, b) for a, b in zip(one, two, strict=True))
    return bool(one == two)
