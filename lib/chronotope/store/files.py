"""Data files: what Spark wrote, measured from their Parquet footers."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from chronotope.tables import Table

# Types whose minima and maxima readers can use to skip files.
BOUNDED = ("string", "int", "bigint", "double", "timestamp", "date")
STRING_BOUND_CHARS = 32  # longer bounds cost log space and skip no better


@dataclass(frozen=True)
class DataFile:
    """One Parquet file of a table: its path below the table's folder, bytes, rows, and Delta's statistics (JSON)."""

    path: str
    size: int
    rows: int
    stats: str

    def to_dict(self) -> dict[str, Any]:
        """For a manifest."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DataFile:
        """From a manifest."""
        return cls(**values)


def measure(table: Table, root: Path, folder: Path) -> list[DataFile]:
    """The Parquet files that Spark wrote into a folder below a table's root, empty ones left out, by path."""
    found = [measure_file(table, root, path) for path in sorted(folder.rglob("*.parquet"))]
    return [file for file in found if file.rows]


def measure_file(table: Table, root: Path, path: Path) -> DataFile:
    """One Parquet file below a table's root, measured from its footer."""
    metadata = pq.read_metadata(path)
    stats = json.dumps(statistics(table, metadata))
    return DataFile(str(path.relative_to(root)), path.stat().st_size, metadata.num_rows, stats)


def statistics(table: Table, metadata: pq.FileMetaData) -> dict[str, Any]:
    """Delta's per-file statistics: rows, and minimum, maximum and nulls of the top-level columns of simple type."""
    bounded = {c.name for c in table.columns if c.type in BOUNDED}
    lows: dict[str, Any] = {}
    highs: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for index in range(metadata.num_columns):
        name = metadata.schema.column(index).path
        chunks = [metadata.row_group(g).column(index).statistics for g in range(metadata.num_row_groups)]
        if name not in bounded or not all(chunk is not None and chunk.has_null_count for chunk in chunks):
            continue
        nulls[name] = sum(chunk.null_count for chunk in chunks)
        bounds = [chunk for chunk in chunks if chunk.has_min_max]
        # Chunks without bounds are all null, unless the writer dropped bounds that were too long or not a number.
        if bounds and nulls[name] + sum(c.num_values for c in bounds) == metadata.num_rows:
            lows[name], highs[name] = min(c.min for c in bounds), max(c.max for c in bounds)
    kept = [name for name in lows if plain(lows[name]) is not None and plain(highs[name]) is not None]
    return {
        "numRecords": metadata.num_rows,
        "minValues": {name: plain(lows[name]) for name in kept},
        "maxValues": {name: plain(highs[name]) for name in kept},
        "nullCount": nulls,
    }


def plain(value: Any) -> Any:
    """A bound as Delta's JSON wants it; None where it must be left out (long texts, infinities, NaN)."""
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return value if len(value) <= STRING_BOUND_CHARS else None
    if isinstance(value, float):
        return value if value - value == 0 else None
    return value if isinstance(value, int) else None
