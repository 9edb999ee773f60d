"""Claim: the night after 100 days of history takes at most 1.25 times the night after 10 days, for the same day.

    python -m benchmarks.history

Makes a demo world of 101 days (not timed), and from it a second log that begins 10 days before the last. Both are taken
in by a first night (not timed, its training cut short), and then the last day is run several times on each, taking
turns: the night that a scheduler runs six times a week. Seconds are those of the stages in table `runs`, without the
start of Spark. Prints the median of each stage and their sums' ratio; kept in benchmarks/results/history.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import ROOT, report
from chronotope.flow import STAGES
from chronotope.store.snapshot import all_runs

LIMIT = 1.25
START = dt.date(2026, 2, 3)  # so that the last day, 100 later, is a Thursday: no refresh
QUICK = ("train.epochs=1", "train.dim=8", "train.hidden=8", "train.history_steps=100", "evaluate.max_queries=2000")


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--users", type=int, default=1000, help="users of the world, 4.5 events a day each")
    parser.add_argument("--days", type=int, nargs=2, default=[10, 100], help="days of history of the two logs")
    parser.add_argument("--runs", type=int, default=3, help="of the last night, on each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, most = Path(name), max(options.days)
        last = START + dt.timedelta(most)
        make_world(folder / "world", options.users, most + 1)
        logs = {days: begun_later(folder, days, last) for days in options.days}
        for days, log in logs.items():
            run_night(log, folder / f"tables-{days}", last - dt.timedelta(1))
        seconds: dict[int, list[dict[str, float]]] = {days: [] for days in logs}
        for _ in range(options.runs):
            for days, log in logs.items():
                seconds[days].append(run_night(log, folder / f"tables-{days}", last))
    medians = {
        days: {stage: round(statistics.median(run[stage] for run in runs), 2) for stage in STAGES}
        for days, runs in seconds.items()
    }
    short, long = (round(sum(medians[days].values()), 1) for days in options.days)
    figures = {
        "claim": f"the night after {options.days[1]} days takes at most {LIMIT} times that after {options.days[0]}",
        "stage_seconds": {str(days): of for days, of in medians.items()},
        "night_seconds": {str(options.days[0]): short, str(options.days[1]): long},
        "ratio": round(long / short, 2),
        "options": vars(options),
    }
    report("history", figures)


def make_world(folder: Path, n_users: int, n_days: int) -> None:
    """A demo world."""
    sizes = ["--users", str(n_users), "--items", "2000", "--days", str(n_days), "--start", str(START), "--seed", "7"]
    script = str(ROOT / "scripts" / "make_world.py")
    subprocess.run([sys.executable, script, "--out", str(folder), *sizes], check=True, stderr=subprocess.DEVNULL)


def begun_later(folder: Path, days: int, last: dt.date) -> Path:
    """The world's log of the last day and of so many days before it."""
    log = folder / f"log-{days}"
    shutil.copytree(folder / "world" / "items", log / "items")
    for age in range(days + 1):
        day = f"day={last - dt.timedelta(age)}"
        shutil.copytree(folder / "world" / "events" / day, log / "events" / day)
    return log


def run_night(log: Path, tables: Path, date: dt.date) -> dict[str, float]:
    """Run a night; the seconds of its stages."""
    return {run["stage"]: run["seconds"] for run in night(log, tables, date)}


def night(log: Path, tables: Path, date: dt.date) -> list[dict[str, Any]]:
    """Run a night of a demo world; the rows of table `runs` of its stages."""
    command = [sys.executable, str(ROOT / "jobs" / "nightly.py"), "--source", str(ROOT / "conf/sources/demo.yaml")]
    command += ["--input", str(log), "--tables", str(tables), "--date", str(date)]
    settings = [word for setting in QUICK for word in ("--set", setting)]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    subprocess.run([*command, *settings], check=True, env=environment, stderr=subprocess.DEVNULL)
    rows = [run for run in all_runs(tables) if str(run["night"]) == str(date) and run["stage"] in STAGES]
    print(f"{tables.name}, night {date}: {sum(run['seconds'] for run in rows):.1f} s", flush=True)
    return rows


if __name__ == "__main__":
    main()
