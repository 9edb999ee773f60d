"""Parquet files written again, batch by batch: merged, or without some rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chronotope.errors import StoreError

BATCH_ROWS = 8192
GROUP_BYTES = 64 * 2**20  # of Arrow data held until it is written as a row group: what a rewrite needs of memory

Mask = Callable[[pa.RecordBatch], pa.Array]


def rewrite(sources: Sequence[Path], target: Path, keep: Mask | None = None) -> int:
    """Write the rows of some files of one schema, in their order, to a new one; `keep` says which (None: all).

    Returns:
        the number of rows; a file without any is not left.

    Raises:
        StoreError: when a source is gone or no Parquet.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        first = pq.ParquetFile(sources[0])
        rows = 0
        with pq.ParquetWriter(target, first.schema_arrow, compression=codec(first)) as writer:
            for group in groups(sources, first.schema_arrow, keep):
                writer.write_table(group, row_group_size=max(group.num_rows, 1))
                rows += group.num_rows
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"cannot rewrite {sources[0].parent}: {error}") from error
    if not rows:
        target.unlink()
    return rows


def codec(file: pq.ParquetFile) -> str:
    """The compression of a file's first column, as the writer wants it named."""
    metadata = file.metadata
    name = metadata.row_group(0).column(0).compression if metadata.num_row_groups else "SNAPPY"
    return "NONE" if name == "UNCOMPRESSED" else str(name)


def groups(sources: Sequence[Path], schema: pa.Schema, keep: Mask | None) -> Iterator[pa.Table]:
    """The rows to be kept, in tables of about `GROUP_BYTES`."""
    held: list[pa.Table] = []
    held_bytes = 0
    for source in sources:
        for batch in pq.ParquetFile(source).iter_batches(batch_size=BATCH_ROWS):
            table = pa.Table.from_batches([batch])
            held.append((table.filter(keep(batch)) if keep else table).cast(schema))
            held_bytes += held[-1].nbytes
            if held_bytes >= GROUP_BYTES:
                yield pa.concat_tables(held)
                held, held_bytes = [], 0
    if held:
        yield pa.concat_tables(held)


def rows_in(path: Path) -> int:
    """Rows of a file by its footer; 0 for what is no whole Parquet file."""
    try:
        return int(pq.read_metadata(path).num_rows) if path.suffix == ".parquet" else 0
    except (OSError, pa.ArrowException):
        return 0
