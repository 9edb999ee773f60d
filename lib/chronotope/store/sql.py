"""SQL over a published night, without Spark: DataFusion in delta-rs, each table at the night's version."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder
from deltalake.exceptions import DeltaError

from chronotope.errors import StoreError, UsageError
from chronotope.store import delta
from chronotope.store.files import measure_file
from chronotope.store.snapshot import Snapshot
from chronotope.tables import TABLES, Table

HISTORY = "_history"  # NAME_history has the rows of all nights, NAME those that stand for the table
ENGINE = {"datafusion.catalog.information_schema": "true"}  # SHOW TABLES and SHOW COLUMNS need it


@dataclass(frozen=True)
class Answer:
    """Rows of a query as Python values, column by column in the given order; `more` when there were more rows."""

    columns: list[str]
    rows: list[dict[str, Any]]
    more: bool


def select(snapshot: Snapshot, sql: str, max_rows: int | None = None) -> Answer:
    """The first `max_rows` rows (None: all) of a query over the tables that it names.

    The query is trusted: see `chronotope.cli.query` for what people may ask.

    Raises:
        UsageError: when the engine refuses the query, with the engine's reason.
        StoreError: when a file of the night is gone.
    """
    words = set(re.findall(r"\w+", sql.lower()))
    named = [name for name in TABLES if {name, name + HISTORY} & words or {"show", "information_schema"} & words]
    with engine_over(snapshot, named) as engine:
        try:
            reader = engine.execute(sql)
            columns = [field.name for field in pa.schema(reader.schema)]
            rows, more = first_rows(reader, max_rows)
        except Exception as error:  # the engine raises bare Exception for faults that show while it runs
            raise explained(error, snapshot, named) from error
    return Answer(columns, rows, more)


def first_rows(reader: Any, max_rows: int | None) -> tuple[list[dict[str, Any]], bool]:
    """The first rows of a stream of Arrow batches, and whether there are more; the rest is never computed."""
    rows: list[dict[str, Any]] = []
    for batch in reader:
        arrow = pa.record_batch(batch)
        columns = [[plain(value, field.type) for value in arrow.column(i).to_pylist()]
                   for i, field in enumerate(arrow.schema)]  # fmt: skip
        rows += [dict(zip(arrow.schema.names, values, strict=True)) for values in zip(*columns, strict=True)]
        if max_rows is not None and len(rows) > max_rows:
            return rows[:max_rows], True
    return rows, False


def plain(value: Any, of: pa.DataType) -> Any:
    """An Arrow value with maps as dictionaries, at any depth.

    >>> plain([[("a", 1)]], pa.list_(pa.map_(pa.string(), pa.int32())))
    [{'a': 1}]
    """
    if value is None or not pa.types.is_nested(of):
        return value
    if pa.types.is_map(of):
        return {key: plain(inner, of.item_type) for key, inner in value}
    if pa.types.is_struct(of):
        return {field.name: plain(value[field.name], field.type) for field in of}
    return [plain(inner, of.value_type) for inner in value]


@contextmanager
def engine_over(snapshot: Snapshot, names: Sequence[str]) -> Iterator[QueryBuilder]:
    """An engine that knows the named tables: `NAME_history`, and the view `NAME` of the rows that stand for it."""
    with tempfile.TemporaryDirectory(prefix="chronotope-sql-") as scratch:
        engine = QueryBuilder(ENGINE)
        for name in names:
            engine.register(name + HISTORY, pinned(snapshot, TABLES[name], Path(scratch)))
            engine.execute(f"CREATE VIEW {name} AS {current_rows(snapshot, TABLES[name])}").read_all()
        yield engine


def pinned(snapshot: Snapshot, table: Table, scratch: Path) -> DeltaTable:
    """The table at the night's version; an empty one where no stage has written it yet."""
    root = snapshot.tables_dir / table.name
    try:
        if snapshot.format_name == "parquet":
            return linked(snapshot, table, scratch / table.name)
        version = snapshot.version(table.name)
        if version is None:
            return delta.open_or_create(table, scratch / table.name)
        return DeltaTable(str(root), version=version)
    except (DeltaError, OSError) as error:
        raise StoreError(f"cannot read table {table.name} of night {snapshot.night} in {root}: {error}") from error


def linked(snapshot: Snapshot, table: Table, root: Path) -> DeltaTable:
    """A Delta log in a scratch folder over links to a plain Parquet table's files, which stay as they are."""
    actions = []
    for night, paths in snapshot.paths(table.name).items():
        (root / f"night={night}").mkdir(parents=True)
        for number, path in enumerate(paths):
            link = root / f"night={night}" / f"{number}.parquet"
            link.symlink_to(path.resolve())
            actions.append(delta.add_action(measure_file(table, root, link), night))
    handle = delta.open_or_create(table, root)
    handle.create_write_transaction(actions, mode="append", schema=delta.delta_schema(table), partition_by=["night"])
    return DeltaTable(str(root))


def current_rows(snapshot: Snapshot, table: Table) -> str:
    """SQL for the rows that stand for a table as of the night: the same rule as `Night.read`."""
    columns, rows = ", ".join(f'"{name}"' for name in table.names), f"{table.name}{HISTORY}"
    if table.current == "latest_night":
        latest = max(snapshot.paths(table.name), default=snapshot.night)
        return f"SELECT {columns} FROM {rows} WHERE night = DATE '{latest}'"
    if table.current == "latest_per_key":
        key = ", ".join(name for name in table.key if name != "night")
        place = f"row_number() OVER (PARTITION BY {key} ORDER BY night DESC) AS _place"
        return f"SELECT {columns} FROM (SELECT *, {place} FROM {rows}) WHERE _place = 1"
    return f"SELECT {columns} FROM {rows} WHERE night <= DATE '{snapshot.night}'"


def explained(error: Exception, snapshot: Snapshot, names: Sequence[str]) -> Exception:
    """The engine's error as ours: a file that is gone is the store's fault, all else the query's."""
    for name in names:
        gone = [path for paths in snapshot.paths(name).values() for path in paths if not path.is_file()]
        if gone:
            return StoreError(f"table {name} of night {snapshot.night} has lost {gone[0]}; run that night again")
    return UsageError(f"the query failed: {error}")
