"""The published nights: which versions of the tables belong together, and their files. Needs no Spark."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from chronotope.errors import StoreError
from chronotope.store.formats import FORMATS, Format, format_of
from chronotope.tables import TABLES, Table


@dataclass(frozen=True)
class Snapshot:
    """The tables as one night published them."""

    tables_dir: Path
    format_name: str
    night: dt.date
    versions: Mapping[str, int]
    run: Mapping[str, Any]

    def version(self, table: str) -> int | None:
        """The table's version in this snapshot, None where it is not there; `runs` pins the others, not itself."""
        if table == "runs":
            return FORMATS[self.format_name].version_of(self.tables_dir / table)
        return self.versions.get(table)

    def paths(self, table: str) -> dict[dt.date, list[Path]]:
        """The table's files by night, this snapshot's nights only; empty where the table is not there."""
        root, version = self.tables_dir / table, self.version(table)
        if version is None:
            return {}
        nights = FORMATS[self.format_name].paths_at(root, version)
        return {night: [root / path for path in paths] for night, paths in nights.items() if night <= self.night}

    @cached_property
    def refreshed_on(self) -> dt.date | None:
        """The latest refresh night: only those choose models. None where no night has chosen one."""
        return max(self.paths("models"), default=None)

    @cached_property
    def model_folder(self) -> Path:
        """The model of the latest refresh.

        Raises:
            StoreError: when no night has chosen one.
        """
        refresh = self.refreshed_on
        if refresh is None:
            raise StoreError(f"no night up to {self.night} has chosen a model in {self.tables_dir}")
        return self.tables_dir / chosen_path(self.paths("models")[refresh])

    def standing(self, table: Table) -> dict[dt.date, list[Path]]:
        """The files whose rows may stand for a table: not those that a refresh or a later night made worthless."""
        nights = self.paths(table.name)
        if table.current == "latest_night":
            return dict(list(nights.items())[-1:])
        since = self.refreshed_on if table.renewed else None
        return {night: paths for night, paths in nights.items() if since is None or night >= since}


def open_snapshot(tables_dir: Path, night: dt.date | None = None) -> Snapshot:
    """The newest published night, or a given one.

    Raises:
        StoreError: when nothing, or not that night, was published in the folder.
    """
    found = [s for s in snapshots(tables_dir) if night is None or s.night == night]
    if not found:
        what = f"night {night}" if night else "no night"
        raise StoreError(f"{tables_dir}: {what} is not published here; see `chronotope runs`" if night else
                         f"{tables_dir}: {what} is published here; run jobs/nightly.py first")  # fmt: skip
    return found[-1]


def snapshots(tables_dir: Path) -> list[Snapshot]:
    """Every published night, oldest first; empty for a folder without tables."""
    name = format_of(tables_dir)
    return [
        Snapshot(tables_dir, str(name), run["night"], dict(run["versions"]), run)
        for run in all_runs(tables_dir)
        if run["stage"] == "night"
    ]


def last_with(nights: Sequence[Snapshot], source: str) -> dt.date | None:
    """The last of some nights that read a source; None where none did.

    Of nights that were published before sources were written down, all read all.
    """
    read = [of.night for of in nights if not of.run.get("sources") or source in of.run["sources"]]
    return max(read, default=None)


def all_runs(tables_dir: Path) -> list[dict[str, Any]]:
    """The rows of `runs`; empty for a folder without tables."""
    name = format_of(tables_dir)
    return read_runs(tables_dir, FORMATS[name]) if name else []


def read_runs(tables_dir: Path, of: Format) -> list[dict[str, Any]]:
    """The rows of `runs`, by night and in the order of the stages; null where an older file has not a column."""
    root = tables_dir / TABLES["runs"].name
    version = of.version_of(root)
    if version is None:
        return []
    rows = []
    for night, paths in of.paths_at(root, version).items():
        for path in paths:
            rows += [{**dict.fromkeys(TABLES["runs"].names), **row, "night": night} for row in read_rows(root / path)]
    return sorted(rows, key=lambda row: (row["night"], row["finished_at"], row["stage"]))


def chosen_path(files: Sequence[Path]) -> str:
    """Where the chosen model of one night's files of `models` is, below the tables.

    Raises:
        StoreError: when they name none, or cannot be read.
    """
    chosen = [row["path"] for file in files for row in read_rows(file) if row["chosen"]]
    if not chosen:
        raise StoreError(f"{', '.join(map(str, files))}: no model is chosen there; run stage train again")
    return str(chosen[0])


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of one small file of `runs` or `models`.

    Raises:
        StoreError: when the file is gone or no Parquet.
    """
    try:
        return list(pq.ParquetFile(path).read().to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"cannot read {path}, which says what was published: {error}") from error
