"""What a command of upkeep is about to change, as a small JSON file that lies in the folder until it is done."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chronotope.store.files import DataFile

Added = Mapping[dt.date, Sequence[DataFile]]
Removed = Mapping[dt.date, Sequence[str]]


@dataclass(frozen=True)
class Part:
    """What changes in one table, by night: staged files that come, and paths of files that go."""

    added: Added = field(default_factory=dict)
    removed: Removed = field(default_factory=dict)

    def substituted(self, night: dt.date, files: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """A manifest's list of a night's files with those of this part that went replaced by those that came."""
        gone = set(self.removed.get(night, ()))
        if gone.isdisjoint(file["path"] for file in files):
            return list(files)
        kept = [file for file in files if file["path"] not in gone]
        return kept + [file.to_dict() for file in self.added.get(night, ())]


@dataclass(frozen=True)
class Plan:
    """One command's changes; all paths are below the tables' folder, those of data files below their table's."""

    upkeep: str  # the command's name
    attempt: str  # names the folders of its new files and its transactions
    parts: Mapping[str, Part] = field(default_factory=dict)  # by table
    same_rows: bool = False  # whether the files that come hold just the rows of those that go
    unpublish: tuple[dt.date, ...] = ()  # nights that are no longer published
    manifests: Mapping[str, Any] = field(default_factory=dict)  # by path
    delete: tuple[str, ...] = ()  # folders
    trim: tuple[str, ...] = ()  # tables of which only the newest version is left
    sweep: tuple[str, ...] = ()  # tables whose folders lose every file that nothing names

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        parts = {
            name: {
                "added": {str(night): [file.to_dict() for file in files] for night, files in part.added.items()},
                "removed": {str(night): list(paths) for night, paths in part.removed.items()},
            }
            for name, part in self.parts.items()
        }
        return {**self.__dict__, "parts": parts, "unpublish": [str(night) for night in self.unpublish]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """From JSON."""
        day = dt.date.fromisoformat
        parts = {
            name: Part(
                {day(night): [DataFile.from_dict(file) for file in files] for night, files in part["added"].items()},
                {day(night): paths for night, paths in part["removed"].items()},
            )
            for name, part in values["parts"].items()
        }
        return cls(**{**values, "parts": parts, "unpublish": tuple(day(night) for night in values["unpublish"])})
