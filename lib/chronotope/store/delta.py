"""Delta logs through delta-rs: Spark writes the files, one atomic commit makes them the table's.

Traps that this file guards against, each seen by trying: two writers of a partition that does not exist yet both
succeed (so: no commit retries, and the night's lock above); a fresh handle that repeats a transaction is accepted
(so: the transaction's version is looked up first); add actions for missing files are accepted (so: files are checked
before, and the partition is read back after).
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Sequence
from pathlib import Path

from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from chronotope.errors import StoreError
from chronotope.store.files import DataFile
from chronotope.store.plan import Added, Removed
from chronotope.tables import Table

MEND = "put its _delta_log back from a copy"
# Without, log entries go after 30 days, and with them the versions that `runs` pins.
KEEPS_LOG = {"delta.enableExpiredLogCleanup": "false"}


def version_of(root: Path) -> int | None:
    """The newest version of the table in a folder; None where there is no table yet.

    Raises:
        StoreError: when the log cannot be read.
    """
    try:
        return DeltaTable(str(root)).version() if DeltaTable.is_deltatable(str(root)) else None
    except (DeltaError, OSError) as error:
        raise StoreError(f"cannot read the log of the Delta table {root}: {plain(error)}; {MEND}") from error


def paths_at(root: Path, version: int) -> dict[dt.date, list[str]]:
    """The data files of a version, below the table's folder, by night.

    Raises:
        StoreError: when the log cannot be read.
    """
    try:
        actions = DeltaTable(str(root), version=version).get_add_actions(flatten=True)
    except (DeltaError, OSError) as error:
        raise StoreError(f"cannot read version {version} of the Delta table {root}: {plain(error)}; {MEND}") from error
    columns = {name: actions.column(name).to_pylist() for name in ("path", "partition.night")}
    nights: dict[dt.date, list[str]] = {}
    for path, night in zip(columns["path"], columns["partition.night"], strict=True):
        nights.setdefault(night, []).append(path)
    return {night: sorted(paths) for night, paths in sorted(nights.items())}


def replace_night(table: Table, root: Path, night: dt.date, attempt: str, files: Sequence[DataFile]) -> int:
    """Make `files` the whole partition `night`, in one commit; the table is created when it is not there.

    Repeating a finished attempt changes nothing.

    Returns:
        the version that holds them.

    Raises:
        StoreError: for a missing file, a commit that another writer got in the way of, or a partition that does not
            read back as written.
    """
    missing = [file.path for file in files if not (root / file.path).is_file()]
    if missing:
        raise StoreError(f"table {table.name}: staged file {missing[0]} is gone; run the night again")
    application = f"chronotope/{night}/{attempt}"
    try:
        handle = open_or_create(table, root)
        if not files and night not in paths_at(root, handle.version()):
            return int(handle.version())  # nothing was there and nothing comes
        if handle.transaction_version(application) is None:
            commit_night(handle, table, night, application, files)
    except (DeltaError, OSError) as error:
        raise StoreError(f"table {table.name}: the commit failed and changed nothing: {plain(error)}") from error
    version: int = DeltaTable(str(root)).version()
    if paths_at(root, version).get(night, []) != sorted(file.path for file in files):
        raise StoreError(f"table {table.name}: night {night} does not read back as committed; is another writer here?")
    return version


def settle(root: Path) -> None:
    """Nothing: versions keep their files until `store.vacuum` removes them."""


def commit_night(handle: DeltaTable, table: Table, night: dt.date, application: str, files: Sequence[DataFile]) -> None:
    """One commit that replaces the partition `night` by the files and records the application's transaction."""
    handle.create_write_transaction(
        [add_action(file, night) for file in files],
        mode="overwrite",
        schema=delta_schema(table),
        partition_by=["night"],
        partition_filters=[("night", "=", str(night))],
        commit_properties=CommitProperties(
            max_commit_retries=0, app_transactions=[Transaction(app_id=application, version=1)]
        ),
    )


def replace_files(table: Table, root: Path, attempt: str, added: Added, removed: Removed, same_rows: bool) -> int:
    """Let staged files take the place of others, in one commit; repeating a finished attempt changes nothing.

    `same_rows` tells readers that follow the log that no row came or went.

    Returns:
        the version that holds them.

    Raises:
        StoreError: for a missing file, a commit that failed, or a table that does not read back as committed.
    """
    missing = [file.path for files in added.values() for file in files if not (root / file.path).is_file()]
    if missing:
        raise StoreError(f"table {table.name}: staged file {missing[0]} is gone; nothing was changed")
    application = f"chronotope/upkeep/{attempt}"
    try:
        handle = DeltaTable(str(root))
        if handle.transaction_version(application) is None:
            commit_files(handle, table, application, added, removed, same_rows)
    except (DeltaError, OSError) as error:
        raise StoreError(f"table {table.name}: the commit failed and changed nothing: {error}") from error
    version: int = DeltaTable(str(root)).version()
    found = {path for paths in paths_at(root, version).values() for path in paths}
    comes, goes = ({file.path for files in added.values() for file in files}, set().union(*removed.values()))
    if not comes <= found or goes & found:
        raise StoreError(f"table {table.name} does not read back as committed; is another writer here?")
    return version


def commit_files(
    handle: DeltaTable, table: Table, application: str, added: Added, removed: Removed, same_rows: bool
) -> None:
    """One commit that adds and removes files and records the application's transaction."""
    now_ms = int(time.time() * 1000)
    comes = [add_action(file, night, not same_rows) for night, files in added.items() for file in files]
    goes = [
        RemoveAction(path, not same_rows, now_ms, partition_values={"night": str(night)})
        for night, paths in removed.items()
        for path in paths
    ]
    handle.create_write_transaction(
        [*comes, *goes],
        mode="append",
        schema=delta_schema(table),
        partition_by=["night"],
        commit_properties=CommitProperties(
            max_commit_retries=0, app_transactions=[Transaction(app_id=application, version=1)]
        ),
    )


def trim(root: Path) -> None:
    """Make the newest version the only one: its checkpoint is written, and the log's entries before it go.

    Raises:
        StoreError: when the log cannot be read or the checkpoint not be written.
    """
    try:
        handle = DeltaTable(str(root))
        handle.create_checkpoint()
    except (DeltaError, OSError) as error:
        raise StoreError(f"cannot write a checkpoint of the Delta table {root}: {error}") from error
    for path in (root / "_delta_log").iterdir():
        number = path.name.partition(".")[0]
        if path.suffix == ".tmp" or (number.isdigit() and int(number) < handle.version()):
            path.unlink()


def open_or_create(table: Table, root: Path) -> DeltaTable:
    """A handle on the newest version; an empty table is made first where there is none.

    Columns declared since the table was made are added to it, and are null in the rows that it has.
    """
    if not DeltaTable.is_deltatable(str(root)):
        DeltaTable.create(
            str(root), schema=delta_schema(table), mode="ignore", partition_by=["night"], name=table.name,
            description=table.grain, configuration=KEEPS_LOG,
        )  # fmt: skip
    handle = DeltaTable(str(root))
    known = {field.name for field in handle.schema().fields}
    if new := [field for field in delta_schema(table).fields if field.name not in known]:
        handle.alter.add_columns(new)
    return handle


def delta_schema(table: Table) -> Schema:
    """The declaration as a Delta schema, comments included; Spark's JSON of a schema is Delta's."""
    fields = json.loads(table.schema().json())
    for field, column in zip(fields["fields"], table.columns, strict=True):
        field["metadata"] = {"comment": column.comment}
    return Schema.from_json(json.dumps(fields))


def add_action(file: DataFile, night: dt.date, data_change: bool = True) -> AddAction:
    """One file for the log; `data_change` says whether its rows are new to the table."""
    return AddAction(
        path=file.path,
        size=file.size,
        partition_values={"night": str(night)},
        modification_time=0,  # rewritten identically by a repeated commit, so no clock here
        data_change=data_change,
        stats=file.stats,
    )


def plain(error: Exception) -> str:
    """What delta-rs says, without the stack that it hangs on to it."""
    return (str(error).splitlines() or [type(error).__name__])[0]
