"""`chronotope`: the command for people, over published tables and without Spark."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from chronotope.cli import render, upkeep
from chronotope.cli.alarms import alarms_reply
from chronotope.cli.arguments import day, positive, tables_folder
from chronotope.cli.evaluation import evaluation
from chronotope.cli.overview import runs, stages, tables
from chronotope.cli.query import query
from chronotope.cli.show import Wanted, examples, show
from chronotope.errors import ChronotopeError, UsageError
from chronotope.store.snapshot import Snapshot, open_snapshot

EXIT_CLOSED_PIPE = 141  # what a shell reports for SIGPIPE
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Answer one question or do some upkeep; the process's exit code.

    It is 0, 2 for a mistake of the caller, 5 for unreadable tables, 6 for upkeep of a folder in which a night works; as
    in `chronotope.errors`.
    """
    options = parser().parse_args(argv)
    try:
        render.show(reply_to(options), options.json)
        sys.stdout.flush()
    except ChronotopeError as error:
        render.complain(f"error: {error}")
        return error.exit_code
    except BrokenPipeError:  # `chronotope ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLOSED_PIPE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line; the common options stand before or after the command's name."""
    made = argparse.ArgumentParser(
        prog="chronotope", description="What the nights published: look, ask, and keep it in order."
    )
    common(made, None)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, what: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=what, description=what[0].upper() + what[1:] + ".")
        common(added, argparse.SUPPRESS)
        return added

    command("tables", "every table: rows, size, version, nights and what a row is")
    asked = command("runs", "every published night: its model, the gate's decision, seconds and rows")
    asked.add_argument("--stages", action="store_true", help="what each stage cost: seconds, bytes, memory, rows")
    command("alarms", "what about the nights asks to be looked at, and what the night is watched by")
    add_show(command("show", "a user's interests, and their lists by daypart and region with reasons"))
    asked = command("evaluation", "the night's models beside the yardsticks, with intervals")
    asked.add_argument("--slice", default="all", help="which queries: all, or column=value (default: all)")
    asked = command("query", "read-only SQL; NAME has a table's current rows, NAME_history those of every night")
    asked.add_argument("sql", metavar="SQL", help='such as "SELECT * FROM items LIMIT 5"')
    asked.add_argument("--rows", type=positive, default=1000, help="rows given at most (default: 1000)")
    upkeep.add_to(command)
    return made


def common(to: argparse.ArgumentParser, default: str | None) -> None:
    """The options of every command; `default` keeps a command's parser from undoing what came before its name."""
    to.add_argument(
        "--tables", type=tables_folder, metavar="DIR", default=default, help="folder of the tables (needed)"
    )
    to.add_argument("--night", type=day, metavar="YYYY-MM-DD", default=default, help="default: the latest published")
    to.add_argument("--json", action="store_true", default=default or False, help="JSON, not text")


def add_show(to: argparse.ArgumentParser) -> None:
    """The options of `show`."""
    to.add_argument("user", nargs="*", metavar="USER", help="user_id, with or without its source; * is anybody")
    to.add_argument("--examples", type=positive, metavar="N", help="also the N users with the most events")
    to.add_argument("--daypart", help="only lists of this part of the week (default: all)")
    to.add_argument("--region", help="only lists of this region (default: all)")
    to.add_argument("--lists", type=positive, default=8, metavar="N", help="lists per user at most (default: 8)")


def reply_to(options: argparse.Namespace) -> render.Reply:
    """The answer to a parsed command line.

    Raises:
        UsageError: for what argparse cannot see.
        StoreError: when the tables cannot be read.
    """
    if options.tables is None:
        raise UsageError("which tables? Give --tables DIR, the folder that the nights wrote")
    if not options.tables.is_dir():
        raise UsageError(f"--tables {options.tables}: no such folder")
    if options.command in upkeep.COMMANDS:
        return upkeep.upkeep(options)
    snapshot = open_snapshot(options.tables, options.night)
    if options.command == "show":
        return reply_to_show(snapshot, options)
    if options.command == "evaluation":
        return evaluation(snapshot, options.slice)
    if options.command == "query":
        return query(snapshot, options.sql, options.rows)
    if options.command == "runs" and options.stages:
        return stages(snapshot)
    return {"tables": tables, "runs": runs, "alarms": alarms_reply}[options.command](snapshot)


def reply_to_show(snapshot: Snapshot, options: argparse.Namespace) -> render.Reply:
    """The answer to `show`.

    Raises:
        UsageError: when nobody was named.
    """
    names = [*options.user, *(examples(snapshot, options.examples) if options.examples else [])]
    if not names:
        raise UsageError("show whom? Give a USER, or --examples N")
    return show(snapshot, names, Wanted(options.daypart, options.region, options.lists))


if __name__ == "__main__":
    sys.exit(main())
