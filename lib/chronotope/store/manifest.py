"""What a stage staged: a small JSON file per night and stage, written last, so that its presence means finished."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronotope.store.files import DataFile


@dataclass(frozen=True)
class Staged:
    """One table's part of a night: its attempt's folder name and files."""

    attempt: str
    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        """Rows staged."""
        return sum(file.rows for file in self.files)

    @property
    def bytes(self) -> int:
        """Bytes of the files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Manifest:
    """What one stage of one night staged, and what it cost; for memory see `chronotope.store.cost`."""

    stage: str
    tables: Mapping[str, Staged]
    seconds: float
    finished_at: str
    made_from: Mapping[str, str]  # see `store.resume`
    peak_memory_bytes: int | None = None

    @property
    def rows(self) -> dict[str, int]:
        """Rows staged, by table."""
        return {name: staged.rows for name, staged in self.tables.items()}

    @property
    def bytes_written(self) -> int:
        """Bytes of the files staged."""
        return sum(staged.bytes for staged in self.tables.values())

    def save(self, path: Path) -> None:
        """Write the manifest in one step: beside, then renamed."""
        tables = {
            name: {"attempt": staged.attempt, "files": [file.to_dict() for file in staged.files]}
            for name, staged in self.tables.items()
        }
        write_json(path, {**self.__dict__, "tables": tables})

    @classmethod
    def load(cls, path: Path) -> Manifest:
        """Read a manifest."""
        values = json.loads(path.read_text(encoding="utf-8"))
        tables = {
            name: Staged(part["attempt"], tuple(DataFile.from_dict(file) for file in part["files"]))
            for name, part in values["tables"].items()
        }
        return cls(**{**values, "tables": tables})


def write_json(path: Path, values: Any) -> None:
    """Write JSON in one step, as `write_text` does."""
    write_text(path, json.dumps(values, indent=1, default=str))


def write_text(path: Path, text: str) -> None:
    """Write a text in one step: to a file beside it, flushed to disk, then renamed over it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".tmp")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
