"""A small world and two nights over it, run as a scheduler would run them."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.nights.processes import Process, python

KEPT_STEPS = 110  # some users of the world have more, some fewer
FAST = (
    "train.epochs=3", "train.dim=16", "train.hidden=16", "night.late_days=3", f"sessions.kept_steps={KEPT_STEPS}",
)  # fmt: skip
REFRESH = "2026-03-02"  # a Monday
LAST = "2026-03-03"  # 30 days from 2026-02-02


@dataclass(frozen=True)
class Nights:
    """The folders of a world and of the tables made from it."""

    world: Path
    tables: Path
    first: Path  # a copy of the tables after the first night
    said: Path  # what the second night printed
    settings: tuple[str, ...] = FAST

    def elsewhere(self, tables: Path, world: Path | None = None, settings: tuple[str, ...] = ()) -> Nights:
        """The same nights over other tables, another world, or with more settings."""
        return Nights(world or self.world, tables, self.first, self.said, (*self.settings, *settings))

    def run(self, date: str, *options: str, job: str = "nightly") -> subprocess.CompletedProcess[str]:
        """One job of one night in a process of its own."""
        return run(*self.command(date, *options, job=job))

    def command(self, date: str, *options: str, job: str = "nightly") -> list[str]:
        """What comes after `python` for one job of one night."""
        settings = [word for setting in self.settings for word in ("--set", setting)]
        return [
            f"jobs/{job}.py", "--source", "conf/sources/demo.yaml", "--input", str(self.world),
            "--tables", str(self.tables), "--date", date, *settings, *options,
        ]  # fmt: skip

    def start(self, date: str, *options: str, job: str = "nightly") -> Process:
        """The same, not waited for."""
        name = f"{self.tables.name}-{len(list(self.tables.parent.glob('*.said')))}.said"
        return Process(python(*self.command(date, *options, job=job)), self.tables.parent / name)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A Python program of the repository, with its output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)


def made_world(folder: Path, *options: str) -> Nights:
    """A small world, and a folder for its tables."""
    made = Nights(folder / "world", folder / "tables", folder / "first", folder / "said")
    sizes = ("--users", "30", "--items", "100", "--days", "30")
    world = run("scripts/make_world.py", "--out", str(made.world), *sizes, *options)
    assert world.returncode == 0, world.stderr
    return made


@pytest.fixture(scope="session")
def nights(tmp_path_factory) -> Nights:
    """The refresh of a Monday over 29 days of history, and the night after it; made once for all workers of a run."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "made-nights"
    shared.mkdir(exist_ok=True)
    with (shared / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "made").exists():
            two_nights(shared)
            (shared / "made").touch()
    own = tmp_path_factory.mktemp("nights")
    for name in ("tables", "first"):
        shutil.copytree(shared / name, own / name)
    return Nights(shared / "world", own / "tables", own / "first", shared / "said")


def two_nights(folder: Path) -> None:
    made = made_world(folder)
    for date in (REFRESH, LAST):
        night = made.run(date)
        assert night.returncode == 0, night.stdout + night.stderr
        made.said.write_text(night.stdout, encoding="utf-8")
        if date != LAST:
            shutil.copytree(made.tables, made.first)
