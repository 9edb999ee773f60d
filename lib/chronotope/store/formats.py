"""The table formats that a night can write, and where each keeps what is staged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from chronotope.errors import StoreError, UsageError
from chronotope.store import delta, parquet
from chronotope.store.files import DataFile
from chronotope.store.manifest import write_text
from chronotope.store.plan import Added, Removed
from chronotope.tables import Table

MARK = Path("_night") / "format"


class Format(Protocol):
    """What a table format can do; `delta` and `parquet` are the modules that do it."""

    def version_of(self, root: Path) -> int | None:
        """The newest version, or None."""
        ...

    def paths_at(self, root: Path, version: int) -> dict[dt.date, list[str]]:
        """Data files of a version by night."""
        ...

    def replace_night(self, table: Table, root: Path, night: dt.date, attempt: str, files: Sequence[DataFile]) -> int:
        """Publish one night of one table; returns the version."""
        ...

    def settle(self, root: Path) -> None:
        """Remove what `replace_night` kept for the readers of the night as it was published before."""
        ...

    def replace_files(
        self, table: Table, root: Path, attempt: str, added: Added, removed: Removed, same_rows: bool
    ) -> int:
        """Let staged files take the place of others, whatever their nights; returns the version."""
        ...

    def trim(self, root: Path) -> None:
        """Leave only the newest version."""
        ...


FORMATS: dict[str, Format] = {"delta": cast(Format, delta), "parquet": cast(Format, parquet)}


def staging_base(root: Path, name: str) -> Path:
    """The folder below which a format stages `night=D/<attempt>/`: Delta readers see only what the log names."""
    return root / parquet.STAGED if name == "parquet" else root


def format_of(tables_dir: Path) -> str | None:
    """The format that a folder of tables was begun with; None for a new folder.

    An empty mark is none: it is what a full disk or a crash leaves of a file that was about to be written.

    Raises:
        StoreError: when the folder is marked with a word that is no format.
    """
    mark = tables_dir / MARK
    found = mark.read_text(encoding="utf-8", errors="replace").strip() if mark.is_file() else ""
    if found and found not in FORMATS:
        raise StoreError(
            f"{mark} says {found!r}, which is no format: write {' or '.join(FORMATS)} there, as the tables are"
        )
    return found or None


def claim_format(tables_dir: Path, name: str) -> None:
    """Begin a folder of tables in a format, or check that it is the folder's.

    Raises:
        UsageError: when the folder was begun with another format.
        StoreError: as `format_of`.
    """
    found = format_of(tables_dir)
    if found is None:
        write_text(tables_dir / MARK, name + "\n")
    elif found != name:
        raise UsageError(f"{tables_dir} holds {found} tables, night.format is {name}; choose another --tables folder")
