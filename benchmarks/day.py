"""Claim: four times the events of a day take at most 4.4 times the seconds, and no more than 1.2 times the memory.

    python -m benchmarks.day

A small demo world of some days is taken in by a first night with a quick model (not timed). Then come days of other
worlds over the same catalogue, each four times as large as the one before, each as the next night of a copy of the
first one's tables: nearly all of its users are new, so everything is made for everybody. The night is no refresh.
Seconds and memory are those of the stages in table `runs`: without the start of Spark, and the largest sum of the
resident sets of Python, the JVM and the Python workers. A ratio is that of one size to the one before. The result goes
to benchmarks/results/day.json, again after each size.
"""

from __future__ import annotations

import argparse
import datetime as dt
import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.backfill import make_world
from benchmarks.history import night
from benchmarks.report import report
from chronotope.flow import STAGES

LIMIT, MEMORY_LIMIT = 4.4, 1.2
DAY = dt.date(2026, 2, 26)  # a Thursday: no refresh
FIRST_DAYS = 20
EVENTS_PER_USER = 8
SIZES = ["--items", "5000", "--seed", "7", "--events-per-user-day", str(EVENTS_PER_USER)]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--events", type=int, nargs="+", default=[500_000, 2_000_000, 8_000_000], help="of each day")
    options = parser.parse_args()
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_world(folder / "first", 500, days(DAY - dt.timedelta(FIRST_DAYS), FIRST_DAYS))
        night(folder / "first", folder / "tables", DAY - dt.timedelta(1))
        for events in options.events:
            world, tables = folder / f"world-{events}", folder / f"tables-{events}"
            make_world(world, events // EVENTS_PER_USER, days(DAY, 1))
            shutil.copytree(folder / "tables", tables)
            rows = {run["stage"]: run for run in night(world, tables, DAY)}
            shutil.rmtree(world)
            shutil.rmtree(tables)
            measured[f"{events:,}"] = of_night(rows)
            figures = {
                "claim": f"seconds at most {LIMIT} times, memory at most {MEMORY_LIMIT} times those of a quarter",
                "nights": measured,
                "ratios": ratios(list(measured.values())),
            }
            report("day", figures)


def of_night(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Seconds by stage and in all, and the most memory (GiB) of any stage."""
    seconds = {stage: round(rows[stage]["seconds"], 1) for stage in STAGES}
    gib = {stage: round(rows[stage]["peak_memory_bytes"] / 2**30, 2) for stage in STAGES}
    return {"stage_seconds": seconds, "seconds": round(sum(seconds.values()), 1), "stage_gib": gib,
            "gib": max(gib.values())}  # fmt: skip


def ratios(nights: list[dict[str, Any]]) -> list[dict[str, float]]:
    """Each night's seconds and memory over those of the one before.

    >>> ratios([{"seconds": 10.0, "gib": 4.0}, {"seconds": 40.0, "gib": 5.0}])
    [{'seconds': 4.0, 'gib': 1.25}]
    """
    pairs = itertools.pairwise(nights)
    return [{key: round(more[key] / less[key], 2) for key in ("seconds", "gib")} for less, more in pairs]


def days(start: dt.date, n_days: int) -> list[str]:
    """The options of a world of so many days over the catalogue that all share."""
    return ["--start", str(start), "--days", str(n_days), *SIZES]


if __name__ == "__main__":
    main()
