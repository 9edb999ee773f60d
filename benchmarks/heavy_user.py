"""Claim: one user with 1 million events costs at most 1.3 times 1 million events of 10,000 users.

    python -m benchmarks.heavy_user

Makes a demo world (not timed) and a copy of its log in which one user did everything, and takes both in by the stages
that read every event of a user: ingest, interest and sessions. The later ones read a user's newest steps, and counts by
item, daypart and region. Each job has its own start of Spark, which counts on both sides. Prints the seconds and their
ratio; kept in benchmarks/results/heavy_user.json.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from benchmarks.backfill import STAGES, make_world, n_accepted, run_job
from benchmarks.report import report

LIMIT = 1.3
LAST_DAY = "2026-02-23"
WORLD = ["--items", "5000", "--days", "22", "--start", "2026-02-02", "--seed", "7"]  # 100 events per user
USER = re.compile(r'"user":\s*"[^"]+"')


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--users", type=int, default=10_000, help="users of the world, 100 events each")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_world(folder / "many", options.users, WORLD)
        as_one_user(folder / "many", folder / "one")
        seconds, events = {}, {}
        for log in ("many", "one"):
            tables = folder / f"tables-{log}"
            seconds[log] = {stage: round(run_job(stage, folder / log, tables, LAST_DAY), 1) for stage in STAGES}
            events[log] = n_accepted(tables)
    many, one = (sum(seconds[log].values()) for log in ("many", "one"))
    figures = {
        "claim": f"one user's events cost at most {LIMIT} times as many of {options.users} users",
        "events": events,
        "seconds": seconds,
        "ratio": round(one / many, 2),
    }
    report("heavy_user", figures)


def as_one_user(world: Path, target: Path) -> None:
    """A copy of a world in which all that its users did is of one of them."""
    shutil.copytree(world / "items", target / "items")
    for path in sorted((world / "events").rglob("part-*")):
        copy = target / path.relative_to(world)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(USER.sub('"user":"one"', path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
