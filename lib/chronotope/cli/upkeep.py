"""`chronotope compact`, `vacuum`, `retain`, `forget` and `rollback`: the folder of tables kept small and clean."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from chronotope.cli.arguments import day, positive
from chronotope.cli.overview import span
from chronotope.cli.render import Grid, Reply, size
from chronotope.errors import UsageError
from chronotope.store.compact import TARGET_MIB, compact
from chronotope.store.forget import forget
from chronotope.store.retain import COMPARED, COMPARED_DAYS, HISTORY, LOGS, retain
from chronotope.store.rollback import rollback
from chronotope.store.upkeep import Effect, Folder, locked
from chronotope.store.vacuum import vacuum
from chronotope.tables import TABLES

STANDING = ", ".join(name for name, table in TABLES.items() if table.renewed or table.current == "latest_night")


@dataclass(frozen=True)
class Command:
    """One command: its line in the help, what it does, and what to know before using it."""

    what: str
    run: Callable[[Folder, argparse.Namespace], list[Effect]]
    details: str


COMMANDS = {
    "compact": Command(
        "merge the small files of each night's partition; the rows stay the same",
        lambda folder, options: compact(folder, options.target_mib * 2**20),
        "Delta tables keep the replaced files until `chronotope vacuum`.",
    ),
    "vacuum": Command(
        "remove files that no published night and no night in preparation names, and old models",
        lambda folder, options: vacuum(folder, options.keep_nights),
        "No row of a published night goes: every night names the tables' newest versions afterwards. Other readers "
        "lose the older versions of Delta tables.",
    ),
    "retain": Command(
        "remove rows of old nights from the tables where no later night reads them",
        lambda folder, options: retain(folder, options.nights, options.with_history),
        f"Dropped: old nights of {STANDING}, but for those that the night before the first one kept reads, and of "
        f"{', '.join(LOGS)}. With --with-history also of {', '.join(HISTORY)}, which later nights read or add up: "
        f"what they find then starts from the nights kept. Of {' and '.join(COMPARED)} {COMPARED_DAYS} days more stay, "
        "for late copies are compared with them, and always of evaluations, for alarms compare with these; with a "
        "longer night.late_days or alarms.trailing_days, keep as many more nights. Every other table stays whole. The "
        "old nights stay published, with the rows that are left, and those whose refresh went cannot be rolled back "
        "to; Delta tables keep the files until `chronotope vacuum`.",
    ),
    "forget": Command(
        "delete a user everywhere: all tables, all nights, old versions, staged and scratch files",
        lambda folder, options: forget(folder, options.user),
        "Older versions of the tables with users go altogether. Not undone: weights and counts of models, until the "
        "next night trains and counts anew; document frequencies and metrics. Delete the user from the sources' logs "
        "first, or the next night takes in again what is there.",
    ),
    "rollback": Command(
        "make an earlier published night the newest: later nights' rows, models and manifests go",
        lambda folder, options: rollback(folder, options.to),
        "The next night to run is any after NIGHT. Delta tables keep the files until `chronotope vacuum`.",
    ),
}


def add_to(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Add the commands to the command line."""
    made = {name: command(name, of.what) for name, of in COMMANDS.items()}
    for name, of in COMMANDS.items():
        made[name].epilog = of.details
        made[name].add_argument("--dry-run", action="store_true", help="only say what would be done (default: do it)")
    made["compact"].add_argument(
        "--target-mib", type=positive, default=TARGET_MIB, metavar="N",
        help=f"size of a file in MiB: smaller ones are merged up to it (default: {TARGET_MIB})",
    )  # fmt: skip
    made["vacuum"].add_argument(
        "--keep-nights",
        type=positive,
        metavar="N",
        help="newest nights that can be run again: their models and manifests are kept (default: all)",
    )
    made["retain"].add_argument("--nights", type=positive, required=True, metavar="N", help="newest nights kept whole")
    made["retain"].add_argument(
        "--with-history", action="store_true", help="also drop what later nights add up (default: keep it)"
    )
    made["forget"].add_argument("user", metavar="USER", help="user_id as the tables have it, SOURCE:ID")
    made["rollback"].add_argument("to", type=day, metavar="NIGHT", help="YYYY-MM-DD, a published night")


def upkeep(options: argparse.Namespace) -> Reply:
    """Do what a command says, or only say it.

    Raises:
        UsageError: for a folder, night or user that it cannot mean.
        StoreError: when a table cannot be read or written.
        LockedError: when a night works there.
    """
    if options.night is not None:
        raise UsageError(f"{options.command} works on all nights: leave --night out")
    with locked(options.tables, options.dry_run) as folder:
        effects = COMMANDS[options.command].run(folder, options)
    return reply(options.command, options.dry_run, effects)


def reply(command: str, dry_run: bool, effects: Sequence[Effect]) -> Reply:
    """What was done, or would be: a line per table for people, a line per night of it for programs."""
    totals = {name: sum(getattr(effect, name) for effect in effects) for name in ("files", "rows", "bytes")}
    kinds: dict[tuple[str, str], list[Effect]] = {}
    for effect in effects:
        kinds.setdefault((effect.what, effect.done), []).append(effect)
    columns = ["what", "nights", "files", "rows", "size", "done"]
    title = f"{command}{': nothing is changed, this is what would be done' if dry_run else ''}"
    total = (
        f"{totals['files']:,} files, {totals['rows']:,} rows, {size(totals['bytes'])}" if effects else "nothing to do"
    )
    data = {"command": command, "dry_run": dry_run, "total": totals, "effects": [asdict(effect) for effect in effects]}
    grid = Grid(title, columns, [line(of_kind) for of_kind in kinds.values()], frozenset(columns[2:5]))
    return Reply(data, [grid, total] if effects else [total])


def line(effects: Sequence[Effect]) -> list[object]:
    """Effects of one kind on one table, summed up."""
    nights = sorted(effect.night for effect in effects if effect.night)
    n_bytes = sum(effect.bytes for effect in effects)
    files, rows = (sum(getattr(effect, name) for effect in effects) for name in ("files", "rows"))
    return [effects[0].what, span(nights), files, rows, size(n_bytes), effects[0].done]
