"""The command line of jobs/backfill.py: which nights of a range are due, and one run of the night's job for each."""

from __future__ import annotations

import argparse
import datetime as dt
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from chronotope.cli import jobs, render
from chronotope.cli.arguments import day
from chronotope.errors import AlarmError, ChronotopeError, UsageError
from chronotope.store.snapshot import snapshots

log = logging.getLogger("chronotope")


def main(runs: Mapping[str, jobs.Run], argv: Sequence[str] | None = None) -> int:
    """Run the nights of a range that are not published, oldest first, until one fails; the process's exit code.

    It is 0 when all are published in the end (10 with alarms: a night that has some is published, and the next one
    runs), else that of the night that failed, as in `chronotope.errors`.
    """
    own, given = parser().parse_known_args(argv)
    options = jobs.parser(runs).parse_args([*given, "--date", str(own.first)])  # to refuse a mistake at once
    try:
        if any(word.startswith("--date") for word in given):
            raise UsageError("--from and --to name the nights: leave --date out")
        nights = plan(options.tables, own.first, own.last)
    except ChronotopeError as error:
        render.complain(f"error: {error}")
        return error.exit_code
    if own.dry_run:
        render.show(listing(nights), as_json=False)
        return 0
    due = [night for night, published in nights.items() if not published]
    worst = 0
    for number, night in enumerate(due, start=1):
        code = jobs.main(runs, [*given, "--date", str(night)])
        worst = max(worst, code)
        if code not in (0, AlarmError.exit_code):
            log.error("backfill stops at night %s; nights after it: %d", night, len(due) - number)
            return code
    return worst


def parser() -> argparse.ArgumentParser:
    """The options beside those of the night's job."""
    made = argparse.ArgumentParser(
        description="Run the nights of a range one after the other, oldest first, leaving out those that are published "
        "already, and stop at the first that fails.",
        epilog="All other options are those of jobs/nightly.py, the same for every night: see its --help.",
        allow_abbrev=False,
    )
    for name, to, what in (("--from", "first", "first"), ("--to", "last", "last")):
        made.add_argument(name, dest=to, required=True, type=day, metavar="YYYY-MM-DD",
                          help=f"the {what} night, by its day")  # fmt: skip
    made.add_argument("--dry-run", action="store_true", help="only list the nights (default: run them)")
    return made


def plan(tables_dir: Path, first: dt.date, last: dt.date) -> dict[dt.date, bool]:
    """The nights of a range, each with whether it is published.

    Raises:
        UsageError: for an empty range, or one with a night that is not published before one that is: nights do not run
            in the past.
    """
    if last < first:
        raise UsageError(f"--from {first} --to {last}: the range holds no night")
    published = {snapshot.night for snapshot in snapshots(tables_dir)}
    nights = {first + dt.timedelta(days=day): False for day in range((last - first).days + 1)}
    nights = {night: night in published for night in nights}
    newest = max(published, default=first)
    missed = [str(night) for night, done in nights.items() if not done and night < newest]
    if missed:
        some = ", ".join(missed[:3]) + (", ..." if len(missed) > 3 else "")
        raise UsageError(
            f"{some}: not published, but the later night {newest} is, and nights do not run in the past; begin after "
            "it, or make an earlier night the newest with `chronotope rollback`"
        )
    return nights


def listing(nights: Mapping[dt.date, bool]) -> render.Reply:
    """The nights for people."""
    rows = [[night, "published already" if done else "to run"] for night, done in nights.items()]
    due = sum(not done for done in nights.values())
    return render.Reply({}, [render.Grid("", ["night", "backfill"], rows), f"{due:,} of {len(nights):,} nights to run"])
