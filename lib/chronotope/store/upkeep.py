"""What the commands of upkeep share: the folder under its lock, what they did or would do, and how it is done."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chronotope.errors import StoreError, UsageError
from chronotope.store.files import DataFile, measure_file
from chronotope.store.formats import FORMATS, Format, format_of, staging_base
from chronotope.store.lock import exclusive
from chronotope.store.manifest import write_json
from chronotope.store.orphans import manifests
from chronotope.store.plan import Plan
from chronotope.store.publish import PLAN, roll_forward
from chronotope.store.snapshot import Snapshot, snapshots
from chronotope.tables import TABLES


@dataclass(frozen=True)
class Effect:
    """What happened, or would, to some files of one night of a table (or of what else lies in the folder)."""

    what: str  # a table's name; or model folders, scratch, manifests
    night: dt.date | None
    files: int
    rows: int
    bytes: int
    done: str


@dataclass(frozen=True)
class Folder:
    """A folder of tables that nobody else works on."""

    tables_dir: Path
    format_name: str
    dry_run: bool
    published: tuple[Snapshot, ...]  # oldest first, at least one
    attempt: str

    @property
    def of(self) -> Format:
        """The format of the tables."""
        return FORMATS[self.format_name]

    @property
    def nights(self) -> list[dt.date]:
        """The published nights, oldest first."""
        return [snapshot.night for snapshot in self.published]

    def newest(self, last: int) -> list[dt.date]:
        """The `last` newest of the published nights."""
        return self.nights[-last:]

    def files(self, name: str) -> dict[dt.date, list[Path]]:
        """The files of a table's newest version, by night."""
        root, version = self.tables_dir / name, self.of.version_of(self.tables_dir / name)
        found = self.of.paths_at(root, version) if version is not None else {}
        return {night: [root / path for path in paths] for night, paths in found.items()}

    def staged_path(self, name: str, path: str) -> Path:
        """Where a file that a manifest names is: staged, or in its place since the night was published."""
        placed = self.tables_dir / name / path
        return placed if placed.exists() else staging_base(self.tables_dir / name, self.format_name) / path

    def new_file(self, name: str, night: dt.date, number: int) -> Path:
        """Where this command stages its next file of a night of a table."""
        base = staging_base(self.tables_dir / name, self.format_name)
        return base / f"night={night}" / self.attempt / f"part-{number:05d}.parquet"

    def measured(self, name: str, path: Path) -> DataFile:
        """A staged file as the log wants it."""
        return measure_file(TABLES[name], staging_base(self.tables_dir / name, self.format_name), path)

    def carry_out(self, plan: Plan) -> None:
        """Write the plan down, then change what it says; manifests are made to name the files that come."""
        plan = replace(plan, manifests=manifests_after(self.tables_dir, plan))
        if self.format_name == "parquet":  # its readers list the folders, so what was replaced may not stay there
            plan = replace(plan, sweep=tuple(dict.fromkeys([*plan.sweep, *plan.parts, "runs"])))
        write_json(self.tables_dir / PLAN, plan.to_dict())
        roll_forward(self.tables_dir, self.of)


@contextmanager
def locked(tables_dir: Path, dry_run: bool) -> Iterator[Folder]:
    """The folder, under its lock, with what was left half-done finished; a dry run finishes nothing.

    Raises:
        LockedError: when a night or another command works there.
        StoreError: when no night is published there, or the system refuses to read, write or remove a file.
        UsageError: for a dry run where something is left half-done.
    """
    name = format_of(tables_dir)
    if name is None:
        raise StoreError(f"{tables_dir}: no night is published here; run jobs/nightly.py first")
    with exclusive(tables_dir):
        if (tables_dir / PLAN).is_file() and dry_run:
            raise UsageError(f"{tables_dir}: something is left half-done here; run this without --dry-run to finish it")
        try:
            finished = roll_forward(tables_dir, FORMATS[name])
            published = tuple(snapshots(tables_dir))
            told([of for of in published if of.night == finished])
            if not published:
                raise StoreError(f"{tables_dir}: no night is published here; run jobs/nightly.py first")
            yield Folder(tables_dir, name, dry_run, published, os.urandom(6).hex())
        except OSError as error:
            raise StoreError(f"{error}; every published night is whole: mend that, then run this again") from error


def told(nights: Sequence[Snapshot]) -> None:
    """Add the lines of nights whose publication this command finished to the log of nights."""
    if nights:
        from chronotope.store.journal import append, done_night  # with what it knows of Spark's errors: rarely needed

        for of in nights:
            append(of.tables_dir, done_night(dict(of.run), dt.datetime.now(dt.UTC)))


def check_newest(folder: Folder, last: Snapshot) -> None:
    """Make sure that nights up to `last` may name the newest versions: they must hold the rows that it published.

    Raises:
        StoreError: when they do not; a run of that night was given up half-way, or another program wrote.
    """
    for name in last.versions:
        newest = {night: paths for night, paths in folder.files(name).items() if night <= last.night}
        if newest != last.paths(name):
            raise StoreError(
                f"table {name}: the newest version is not the one that night {last.night} published; "
                f"run jobs/nightly.py --date {last.night} again"
            )


def manifests_after(tables_dir: Path, plan: Plan) -> dict[str, Any]:
    """The manifests that the plan changes, by path: with the files that come in the place of those that go."""
    changed = {}
    for path, values in manifests(tables_dir):
        night, key = dt.date.fromisoformat(path.parent.name), str(path.relative_to(tables_dir))
        tables = {
            name: {**entry, "files": plan.parts[name].substituted(night, entry["files"])}
            if name in plan.parts else entry
            for name, entry in plan.manifests.get(key, values)["tables"].items()
        }  # fmt: skip
        if tables != values["tables"]:
            changed[key] = {**values, "tables": tables}
    return changed


def relative(root: Path, nights: Mapping[dt.date, Sequence[Path]]) -> dict[dt.date, list[str]]:
    """Files by night as the log names them: below their table's folder."""
    return {night: [str(path.relative_to(root)) for path in paths] for night, paths in nights.items()}


def size_of(paths: Sequence[Path]) -> int:
    """Bytes on disk; a file that is gone has none."""
    return sum(path.stat().st_size for path in paths if path.is_file())
