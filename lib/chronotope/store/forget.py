"""`chronotope forget USER`: a user's rows leave every table, of every night and every version.

Not undone are what others' rows owe to the user: the weights and counts of models until the next night trains or
counts anew, document frequencies, metrics, when an item was first seen. A model's folder holds no user ids.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chronotope.errors import UsageError
from chronotope.store.files import DataFile
from chronotope.store.naming import names_users, others, rows_naming
from chronotope.store.orphans import manifests, night_folders, orphans
from chronotope.store.plan import Part, Plan
from chronotope.store.rewrite import rewrite, rows_in
from chronotope.store.upkeep import Effect, Folder, check_newest, relative, size_of
from chronotope.store.vacuum import lost_folder
from chronotope.tables import TABLES, Table


@dataclass
class Found:
    """What names the user, and what comes in its place."""

    effects: list[Effect] = field(default_factory=list)
    parts: dict[str, Part] = field(default_factory=dict)
    manifests: dict[str, Any] = field(default_factory=dict)


def forget(folder: Folder, user: str) -> list[Effect]:
    """Remove a user's rows from what is published and what is staged, and every older version of those tables.

    A table is searched when it has a `user_id`, and `rejects`, where that is null, for records that name the user.
    Scratch files go whole.

    Raises:
        UsageError: when the user is not named as the tables do, or of a source that no night has read.
    """
    if ":" not in user:
        raise UsageError(f"{user!r} is no user_id: give it as the tables have it, SOURCE:ID")
    check_newest(folder, folder.published[-1])
    check_source(folder, user)
    found = Found()
    tables = [table for table in TABLES.values() if names_users(table)]
    old = [effect for table in tables if (effect := old_files(folder, table))]
    for table in tables:
        search_published(folder, table, user, found)
    search_staged(folder, tables, user, found)
    scratch = [path / "scratch" for _, path in night_folders(folder.tables_dir) if (path / "scratch").is_dir()]
    found.effects += [*map(lost_folder, scratch), *old]
    if not folder.dry_run:
        folder.carry_out(
            Plan(
                "forget", folder.attempt, found.parts, manifests=found.manifests,
                delete=tuple(str(path.relative_to(folder.tables_dir)) for path in scratch),
                trim=tuple(t.name for t in tables if folder.of.version_of(folder.tables_dir / t.name) is not None),
                sweep=tuple(table.name for table in tables),
            )
        )  # fmt: skip
    return found.effects


def check_source(folder: Folder, user: str) -> None:
    """Refuse a user of no source: nothing would be found, and that would look like success."""
    read = [set(night.run.get("sources") or ()) for night in folder.published]
    source, known = user.split(":")[0], set[str]().union(*read)
    if all(read) and source not in known:  # nights of before sources were written down may have read any
        raise UsageError(f"no night has read a source {source}: give one of {', '.join(sorted(known))}")


def search_published(folder: Folder, table: Table, user: str, found: Found) -> None:
    """Find the user in the newest version of a table, and stage the files without."""
    added: dict[dt.date, list[DataFile]] = {}
    replaced: dict[dt.date, list[Path]] = {}
    for night, paths in folder.files(table.name).items():
        counts = {path: n for path in paths if (n := rows_naming(path, user))}
        if not counts:
            continue
        replaced[night] = list(counts)
        found.effects.append(rewritten(table, night, counts))
        if not folder.dry_run:
            targets = [folder.new_file(table.name, night, number) for number in range(len(counts))]
            pairs = zip(counts, targets, strict=True)
            added[night] = [folder.measured(table.name, new) for old, new in pairs if without(old, new, user)]
    if replaced:
        found.parts[table.name] = Part(added, relative(folder.tables_dir / table.name, replaced))


def search_staged(folder: Folder, tables: Sequence[Table], user: str, found: Found) -> None:
    """Find the user in what nights staged and did not publish, and stage it again without.

    Of files that are gone manifests keep the smallest and the largest value of a column, which may be the user's id:
    those leave whosever they are.
    """
    published = {table.name: {path for paths in folder.files(table.name).values() for path in paths}
                 for table in tables}  # fmt: skip
    for path, values in manifests(folder.tables_dir):
        night = dt.date.fromisoformat(path.parent.name)
        entries = dict(values["tables"])
        for name in {table.name for table in tables} & entries.keys():
            entries[name] = without_lost_bounds(folder, name, entries[name])
        for table in [table for table in tables if table.name in entries]:
            files = {file["path"]: folder.staged_path(table.name, file["path"])
                     for file in entries[table.name]["files"]}  # fmt: skip
            staged = [p for p in files.values() if p not in published[table.name] and p.exists()]
            counts = {p: n for p in staged if (n := rows_naming(p, user))}
            if counts:
                found.effects.append(rewritten(table, night, counts))
            if counts and not folder.dry_run:
                entries[table.name] = staged_again(folder, table, entries[table.name], files, counts, user)
        if entries != values["tables"]:
            found.manifests[str(path.relative_to(folder.tables_dir))] = {**values, "tables": entries}


def without_lost_bounds(folder: Folder, name: str, entry: dict[str, Any]) -> dict[str, Any]:
    """A table's entry of a manifest, without the minima and maxima of files that are gone."""
    files = [
        file if folder.staged_path(name, file["path"]).exists() else
        {**file, "stats": json.dumps({**json.loads(file["stats"]), "minValues": {}, "maxValues": {}})}
        for file in entry["files"]
    ]  # fmt: skip
    return {**entry, "files": files}


def staged_again(
    folder: Folder, table: Table, entry: dict[str, Any], files: dict[str, Path], counts: dict[Path, int], user: str
) -> dict[str, Any]:
    """A manifest's entry with new files, beside the old ones, in the place of those that name the user."""
    kept = [file for file in entry["files"] if files[file["path"]] not in counts]
    for old in counts:
        new = old.with_name(f"{old.stem}-{folder.attempt}.parquet")
        if without(old, new, user):
            kept.append(folder.measured(table.name, new).to_dict())
    return {**entry, "files": kept}


def without(source: Path, target: Path, user: str) -> int:
    """Write a file's rows that do not name the user to a new one; how many there are."""
    return rewrite([source], target, functools.partial(others, user=user))


def rewritten(table: Table, night: dt.date, counts: dict[Path, int]) -> Effect:
    """What becomes of the files of a night that name the user."""
    return Effect(table.name, night, len(counts), sum(counts.values()), size_of(list(counts)), "rewritten")


def old_files(folder: Folder, table: Table) -> Effect | None:
    """What becomes of the files that only older versions name, or nothing; None where there are none."""
    old = orphans(folder.tables_dir, folder.of, table.name)
    rows = sum(map(rows_in, old))
    return Effect(table.name, None, len(old), rows, size_of(old), "old versions removed") if old else None
