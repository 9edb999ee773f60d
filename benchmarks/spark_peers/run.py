"""Running a peer on Spark: a process of its own environment, with the session's settings; imported on both sides."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.peers.environment import spark_peers_python
from benchmarks.report import ROOT


def measured_peer(module: str, folder: Path, runs: int, *options: str) -> dict[str, Any]:
    """What a module of `benchmarks.spark_peers` prints of the files in a folder, its first run left out of `seconds`.

    Raises:
        CalledProcessError: when it fails.

    """
    python = spark_peers_python()
    command = [python, "-m", f"benchmarks.spark_peers.{module}", folder, folder / "spark.conf", str(runs + 1), *options]
    # What our session left for those it starts would bring our settings and modules into an environment without them.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "PYTHONPATH"))}
    environment = {**kept, "PYSPARK_PYTHON": str(python)}
    said = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return {**found, "seconds": found["seconds"][1:]}


def properties(conf: Path) -> dict[str, str]:
    """The settings in a Spark properties file, but for the daemon of Python workers, which is the project's own."""
    lines = [
        line.split(maxsplit=1) for line in conf.read_text(encoding="utf-8").splitlines() if line[:1] not in ("#", "")
    ]
    return {name: value for name, value in lines if name != "spark.python.daemon.module"}
