"""SQL over a published night, without Spark: DataFusion in delta-rs, each table at the night's version."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from arro3.core import DataType, RecordBatch
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
        UsageError: when the engine refuses the query, with the engine's reason, or columns of the result share a name.
        StoreError: when a file of the night is gone.
    """
    words = set(re.findall(r"\w+", sql.lower()))
    named = [name for name in TABLES if {name, name + HISTORY} & words or {"show", "information_schema"} & words]
    with engine_over(snapshot, named) as engine:
        try:
            reader = engine.execute(sql)
            columns = [field.name for field in reader.schema]
            check_names(columns)
            rows, more = first_rows(reader, max_rows)
        except UsageError:
            raise
        except Exception as error:  # the engine raises bare Exception for faults that show while it runs
            raise explained(error, snapshot, named) from error
    return Answer(columns, rows, more)


def check_names(columns: Sequence[str]) -> None:
    """Refuse a result in which one column would hide another.

    Raises:
        UsageError: naming those that share a name.
    """
    shared = sorted({name for name in columns if columns.count(name) > 1})
    if shared:
        raise UsageError(f"several columns of the result are called {', '.join(shared)}: name each with AS")


def first_rows(reader: Any, max_rows: int | None) -> tuple[list[dict[str, Any]], bool]:
    """The first rows of a stream of Arrow batches, and whether there are more; the rest is never computed."""
    rows: list[dict[str, Any]] = []
    for batch in reader:
        columns = [[plain(value, column.type) for value in column.to_pylist()] for column in arrow_columns(batch)]
        rows += [dict(zip(batch.column_names, values, strict=True)) for values in zip(*columns, strict=True)]
        if max_rows is not None and len(rows) > max_rows:
            return rows[:max_rows], True
    return rows, False


def arrow_columns(batch: RecordBatch) -> list[pa.Array]:
    """The engine's columns for pyarrow, which before version 16 knows no string views."""
    return [pa.array(column.cast(without_views(column.type))) for column in batch.columns]


def without_views(of: DataType) -> DataType:
    """An Arrow type with strings and bytes for views of them, also in lists and structs; the engine puts none in maps.

    >>> without_views(DataType.list(DataType.string_view())) == DataType.list(DataType.string())
    True
    """
    if DataType.is_string_view(of):
        return DataType.string()
    if DataType.is_binary_view(of):
        return DataType.binary()
    if DataType.is_list(of):
        return DataType.list(of.value_field.with_type(without_views(of.value_type)))
    if DataType.is_struct(of):
        return DataType.struct([field.with_type(without_views(field.type)) for field in of.fields])
    return of


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
            handle = pinned(snapshot, TABLES[name], Path(scratch))
            there = {field.name for field in handle.schema().fields}
            engine.register(name + HISTORY, handle)
            engine.execute(f"CREATE VIEW {name} AS {current_rows(snapshot, TABLES[name], there)}").read_all()
        yield engine


def pinned(snapshot: Snapshot, table: Table, scratch: Path) -> DeltaTable:
    """The table at the night's version; an empty one where no stage has written it yet."""
    root = snapshot.tables_dir / table.name
    try:
        version = snapshot.version(table.name)
        if snapshot.format_name == "parquet" or (version is not None and holds_later(snapshot, root, version)):
            return linked(snapshot, table, scratch / table.name)
        if version is None:
            return delta.open_or_create(table, scratch / table.name)
        return DeltaTable(str(root), version=version)
    except (DeltaError, OSError) as error:
        raise StoreError(f"cannot read table {table.name} of night {snapshot.night} in {root}: {error}") from error


def holds_later(snapshot: Snapshot, root: Path, version: int) -> bool:
    """Whether a version has nights after the snapshot's; upkeep lets every night name the newest versions."""
    return any(night > snapshot.night for night in delta.paths_at(root, version))


def linked(snapshot: Snapshot, table: Table, root: Path) -> DeltaTable:
    """A Delta log in a scratch folder over links to the snapshot's files of a table, which stay as they are."""
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


def current_rows(snapshot: Snapshot, table: Table, there: Container[str]) -> str:
    """SQL for the rows that stand for a table as of the night: the same rule as `Night.read`.

    A column that is not `there`, for it was declared after that version of the table was written, is null.
    """
    columns = ", ".join(f'"{name}"' if name in there else f'NULL AS "{name}"' for name in table.names)
    rows = f"{table.name}{HISTORY}"
    nights = snapshot.standing(table) if table.renewed or table.current == "latest_night" else {}
    since = f"night >= DATE '{min(nights, default=snapshot.night)}'" if nights else "TRUE"
    rows = f"(SELECT * FROM {rows} WHERE night <= DATE '{snapshot.night}' AND {since})"
    per = {"latest_per_key": [name for name in table.key if name != "night"], "latest_per_user": ["user_id"]}
    if table.current not in per:
        return f"SELECT {columns} FROM {rows}"
    place = f"rank() OVER (PARTITION BY {', '.join(per[table.current])} ORDER BY night DESC) AS _place"
    return f"SELECT {columns} FROM (SELECT *, {place} FROM {rows}) WHERE _place = 1"


def explained(error: Exception, snapshot: Snapshot, names: Sequence[str]) -> Exception:
    """The engine's error as ours: a file that is gone is the store's fault, all else the query's."""
    for name in names:
        gone = [path for paths in snapshot.paths(name).values() for path in paths if not path.is_file()]
        if gone:
            return StoreError(f"table {name} of night {snapshot.night} has lost {gone[0]}; run that night again")
    return UsageError(f"the query failed: {error}")
