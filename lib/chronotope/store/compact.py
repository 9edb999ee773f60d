"""`chronotope compact`: the small files of a night's partition become few, with the same rows in the same order."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path

from chronotope.errors import StoreError
from chronotope.store.files import DataFile
from chronotope.store.plan import Part, Plan
from chronotope.store.rewrite import rewrite, rows_in
from chronotope.store.upkeep import Effect, Folder, check_newest, relative, size_of
from chronotope.tables import TABLES

TARGET_MIB = 128  # what Spark reads as one task by default


def compact(folder: Folder, target_bytes: int) -> list[Effect]:
    """Merge files smaller than the target, night by night, into files of about that size.

    The replaced files of Delta tables stay for `vacuum`; those of plain Parquet go at once.

    Raises:
        StoreError: when a file cannot be read, or comes out with another number of rows.
    """
    check_newest(folder, folder.published[-1])
    effects, parts = [], {}
    for name in TABLES:
        if name == "runs":  # one small file a night, made anew here
            continue
        added: dict[dt.date, list[DataFile]] = {}
        replaced: dict[dt.date, list[Path]] = {}
        for night, paths in folder.files(name).items():
            for number, group in enumerate(groups(paths, target_bytes)):
                rows = sum(rows_in(path) for path in group)
                effects.append(Effect(name, night, len(group), rows, size_of(group), "merged"))
                if not folder.dry_run:
                    added.setdefault(night, []).append(merged(folder, name, night, number, group, rows))
                    replaced.setdefault(night, []).extend(group)
        if replaced:
            parts[name] = Part(added, relative(folder.tables_dir / name, replaced))
    if parts:
        folder.carry_out(Plan("compact", folder.attempt, parts, same_rows=True))
    return effects


def groups(paths: Sequence[Path], target_bytes: int) -> Iterator[list[Path]]:
    """Files smaller than the target, in their order, two or more together as far as they do not exceed it."""
    group: list[Path] = []
    total = 0
    for path in paths:
        size = path.stat().st_size
        if size >= target_bytes:
            continue
        if total + size > target_bytes:
            if len(group) > 1:
                yield group
            group, total = [], 0
        group.append(path)
        total += size
    if len(group) > 1:
        yield group


def merged(folder: Folder, name: str, night: dt.date, number: int, group: Sequence[Path], rows: int) -> DataFile:
    """One new file with the rows of a group.

    Raises:
        StoreError: when it has another number of rows.
    """
    target = folder.new_file(name, night, number)
    written = rewrite(group, target)
    if written != rows:
        raise StoreError(f"table {name}, night {night}: {written} rows came of {rows}; nothing was changed")
    return folder.measured(name, target)
