"""Claim: ingest, interest and sessions take in 5 million demo events within 4 minutes, on 2 cores and 6 GiB of heap.

    python -m benchmarks.backfill

Makes a demo world (not timed), then runs the three jobs one after the other with spark-submit, each with the start of
its own Spark, and prints their seconds, their ratio to the limit, and the largest memory that any of their processes
took. The result goes to benchmarks/results/backfill.json.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.dataset as ds

from benchmarks.report import ROOT, report

LIMIT_S = 240
STAGES = ("ingest", "interest", "sessions")
LAST_DAY = "2026-04-02"
WORLD = ["--items", "5000", "--days", "60", "--start", "2026-02-02", "--seed", "7"]  # about 267 events per user


def make_world(folder: Path, n_users: int, sizes: Sequence[str]) -> None:
    """A demo world of so many users; `sizes` are further options of scripts/make_world.py."""
    script = str(ROOT / "scripts" / "make_world.py")
    subprocess.run([sys.executable, script, "--out", str(folder), "--users", str(n_users), *sizes], check=True)


def run_job(stage: str, world: Path, tables: Path, date: str) -> float:
    """The seconds that a job takes, by the wall clock."""
    submit = ["spark-submit", "--master", "local[2]", "--driver-memory", "6g"]
    submit += ["--properties-file", str(ROOT / "conf" / "spark" / "local.conf"), str(ROOT / "jobs" / f"{stage}.py")]
    options = ["--source", str(ROOT / "conf" / "sources" / "demo.yaml"), "--input", str(world)]
    started = time.perf_counter()
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    subprocess.run(
        [*submit, *options, "--tables", str(tables), "--date", date],
        check=True,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - started
    print(f"{stage}: {seconds:.1f} s", flush=True)
    return seconds


def n_accepted(tables: Path) -> int:
    """The events that ingest staged."""
    return ds.dataset(sorted((tables / "events").rglob("*.parquet")), format="parquet").count_rows()


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--users", type=int, default=20_000, help="users of the world (default: 20000)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        world, tables = Path(name) / "world", Path(name) / "tables"
        make_world(world, args.users, WORLD)
        seconds = {stage: round(run_job(stage, world, tables, LAST_DAY), 1) for stage in STAGES}
        events = n_accepted(tables)
    total = sum(seconds.values())
    figures = {
        "claim": f"5 million events through {', '.join(STAGES)} within {LIMIT_S} s",
        "events": events,
        "seconds": seconds,
        "total_s": round(total, 1),
        "ratio_to_limit": round(total / LIMIT_S, 2),
        "largest_process_gib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 1),
    }
    report("backfill", figures)


if __name__ == "__main__":
    main()
