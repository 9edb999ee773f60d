#!/usr/bin/env python3
"""Make the demo world: `scripts/make_world.py --out DIR`, or with spark-submit; `--help` shows the sizes."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import logging
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "lib"))

from chronotope.errors import ChronotopeError  # noqa: E402 (the library's path comes first)
from chronotope.store.session import open_session  # noqa: E402
from chronotope.store.world import write_world  # noqa: E402
from chronotope.world.build import build_world  # noqa: E402
from chronotope.world.options import WorldOptions  # noqa: E402


def arguments() -> argparse.ArgumentParser:
    """The options, with their defaults in the help."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, default=argparse.SUPPRESS, help="folder to write")
    parser.add_argument("--users", type=int, default=200, help="users")
    parser.add_argument("--items", type=int, default=500, help="items in the catalogue")
    parser.add_argument("--days", type=int, default=60, help="days, one folder of arrivals each")
    parser.add_argument("--events-per-user-day", type=float, default=4.5, help="events of a user on a day, on average")
    parser.add_argument(
        "--start",
        type=dt.date.fromisoformat,
        default=dt.date(2026, 2, 2),
        help="first day (UTC); in 60 days from here the clocks change on 2026-03-08 (America) and 2026-03-29 (Europe)",
    )
    parser.add_argument("--seed", type=int, default=7, help="the same seed and sizes give the same world")
    parser.add_argument("--late-share", type=float, default=0.02, help="events that arrive 1 or 2 days late")
    parser.add_argument("--too-late-share", type=float, default=0.004, help="events that arrive 4 to 7 days late")
    parser.add_argument("--duplicate-share", type=float, default=0.01, help="events that arrive twice")
    parser.add_argument("--broken-share", type=float, default=0.001, help="broken events, of each of the ten kinds")
    parser.add_argument("--properties", type=Path, default=ROOT / "conf/spark/local.conf", help="Spark properties file")
    return parser


def main() -> int:
    """Make the world; 0, or the exit code of what is wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    given = vars(arguments().parse_args())
    folder, properties = given.pop("out"), given.pop("properties")
    begun = time.monotonic()
    try:
        options = WorldOptions(**given)
        spark = open_session("chronotope make_world", properties)
        planted = write_world(spark, build_world(spark, options), folder)
    except ChronotopeError as error:
        print(f"make_world: {error}", file=sys.stderr)
        return error.exit_code
    print(
        f"{folder}: {planted['events']:,} events to take in, {planted['sessions']:,} sessions of "
        f"{planted['active_users']:,} users with {planted['met_items']:,} items, in {time.monotonic() - begun:.0f} s"
    )
    print(f"refused by rule: {json.dumps(planted['reasons'])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
