"""A small world and two nights over it, run as a scheduler would run them."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import QUICK_JVM
from tests.conftest import ROOT

FAST = ("train.epochs=3", "train.dim=16", "train.hidden=16", "night.late_days=3")
LAST = "2026-03-03"  # 30 days from 2026-02-02


@dataclass(frozen=True)
class Nights:
    """The folders of a world and of the tables made from it."""

    world: Path
    tables: Path

    def run(self, date: str, *options: str, job: str = "nightly") -> subprocess.CompletedProcess[str]:
        """One job of one night in a process of its own."""
        settings = [word for setting in FAST for word in ("--set", setting)]
        return run(
            f"jobs/{job}.py", "--source", "conf/sources/demo.yaml", "--input", str(self.world),
            "--tables", str(self.tables), "--date", date, *settings, *options,
        )  # fmt: skip


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """A Python program of the repository, with its output."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib"), "JDK_JAVA_OPTIONS": QUICK_JVM}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="session")
def nights(tmp_path_factory) -> Nights:
    folder = tmp_path_factory.mktemp("nights")
    made = Nights(folder / "world", folder / "tables")
    world = run("scripts/make_world.py", "--out", str(made.world), "--users", "30", "--items", "100", "--days", "30")
    assert world.returncode == 0, world.stderr
    for date in ("2026-03-02", LAST):
        night = made.run(date)
        assert night.returncode == 0, night.stdout + night.stderr
    return made
