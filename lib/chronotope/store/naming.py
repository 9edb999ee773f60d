"""Which rows of a data file name a user."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chronotope.errors import StoreError
from chronotope.store.rewrite import BATCH_ROWS
from chronotope.tables import Table


def names_users(table: Table) -> bool:
    """Whether rows of a table name users: in `user_id`, or in the whole `record` of a source."""
    return not {"user_id", "record"}.isdisjoint(table.names)


def rows_naming(path: Path, user: str) -> int:
    """How many rows of a file name a user; row groups whose bounds exclude the user are not read.

    Raises:
        StoreError: when the file is gone or no Parquet.
    """
    try:
        file = pq.ParquetFile(path)
        columns = [name for name in ("user_id", "source", "record") if name in file.schema_arrow.names]
        columns = columns[:1] if columns[0] == "user_id" else columns
        groups = [g for g in range(file.num_row_groups) if may_name(file.metadata.row_group(g), user)]
        batches = file.iter_batches(batch_size=BATCH_ROWS, row_groups=groups, columns=columns)
        return sum(pc.sum(naming(batch, user)).as_py() or 0 for batch in batches)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"cannot search {path}: {error}") from error


def may_name(group: pq.RowGroupMetaData, user: str) -> bool:
    """Whether a row group's bounds of `user_id` admit a user; where there are none they do."""
    for index in range(group.num_columns):
        column = group.column(index)
        if column.path_in_schema == "user_id" and column.statistics is not None and column.statistics.has_min_max:
            return bool(column.statistics.min <= user <= column.statistics.max)
    return True


def naming(batch: pa.RecordBatch, user: str) -> pa.Array:
    """For each row, whether it names a user: by its `user_id`, else by what its `record` says in any place."""
    if "user_id" in batch.schema.names:
        return pc.fill_null(pc.equal(batch.column("user_id"), user), False)
    ids = {source: id_in(source, user) for source in set(batch.column("source").to_pylist())}
    pairs = zip(batch.column("source").to_pylist(), batch.column("record").to_pylist(), strict=True)
    return pa.array([bool(ids[source] and mentions(record, ids[source])) for source, record in pairs], pa.bool_())


def others(batch: pa.RecordBatch, user: str) -> pa.Array:
    """For each row, whether it does not name a user."""
    return pc.invert(naming(batch, user))


def id_in(source: str, user: str) -> str:
    """The user's own id in a source; empty in those of other users.

    >>> id_in("shop", "shop:a:1"), id_in("cafe", "shop:a:1")
    ('a:1', '')
    """
    return user.removeprefix(f"{source}:") if user.startswith(f"{source}:") else ""


def mentions(record: str, raw_id: str) -> bool:
    """Whether a record, as JSON text, has an id as a value or a word of one, not in a longer word or number.

    >>> values = ('"47"', "47", "47.0", '"user 47"', "4.47", '"47-a"', "470")
    >>> [mentions('{"user":%s}' % value, "47") for value in values]
    [True, True, True, True, False, False, False]
    """
    text = json.dumps(raw_id, ensure_ascii=False)[1:-1]
    if text not in record:
        return False
    return re.search(rf"(?<![\w-])(?<!\d\.){re.escape(text)}(?:\.0+)?(?![\w-]|\.\d)", record) is not None
