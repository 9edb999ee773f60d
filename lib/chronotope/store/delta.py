"""Delta logs through delta-rs: Spark writes the files, one atomic commit makes them the table's.

Traps that this file guards against, each seen by trying: two writers of a partition that does not exist yet both
succeed (so: no commit retries, and the night's lock above); a fresh handle that repeats a transaction is accepted
(so: the transaction's version is looked up first); add actions for missing files are accepted (so: files are checked
before, and the partition is read back after).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction

from chronotope.errors import StoreError
from chronotope.store.files import DataFile
from chronotope.tables import Table


def version_of(root: Path) -> int | None:
    """The newest version of the table in a folder; None where there is no table yet.

    Raises:
        StoreError: when the log cannot be read.
    """
    try:
        return DeltaTable(str(root)).version() if DeltaTable.is_deltatable(str(root)) else None
    except (DeltaError, OSError) as error:
        raise StoreError(f"cannot read the log of the Delta table {root}: {error}") from error


def paths_at(root: Path, version: int) -> dict[dt.date, list[str]]:
    """The data files of a version, below the table's folder, by night.

    Raises:
        StoreError: when the log cannot be read.
    """
    try:
        actions = DeltaTable(str(root), version=version).get_add_actions(flatten=True)
    except (DeltaError, OSError) as error:
        raise StoreError(f"cannot read version {version} of the Delta table {root}: {error}") from error
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
        if handle.transaction_version(application) is None:
            commit_night(handle, table, night, application, files)
    except (DeltaError, OSError) as error:
        raise StoreError(f"table {table.name}: the commit failed and changed nothing: {error}") from error
    version: int = DeltaTable(str(root)).version()
    if paths_at(root, version).get(night, []) != sorted(file.path for file in files):
        raise StoreError(f"table {table.name}: night {night} does not read back as committed; is another writer here?")
    return version


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


def open_or_create(table: Table, root: Path) -> DeltaTable:
    """A handle on the newest version; an empty table is made first where there is none."""
    if not DeltaTable.is_deltatable(str(root)):
        DeltaTable.create(
            str(root), schema=delta_schema(table), mode="ignore", partition_by=["night"], name=table.name,
            description=table.grain,
        )  # fmt: skip
    return DeltaTable(str(root))


def delta_schema(table: Table) -> Schema:
    """The declaration as a Delta schema, comments included; Spark's JSON of a schema is Delta's."""
    fields = json.loads(table.schema().json())
    for field, column in zip(fields["fields"], table.columns, strict=True):
        field["metadata"] = {"comment": column.comment}
    return Schema.from_json(json.dumps(fields))


def add_action(file: DataFile, night: dt.date) -> AddAction:
    """One file for the log."""
    return AddAction(
        path=file.path,
        size=file.size,
        partition_values={"night": str(night)},
        modification_time=0,  # rewritten identically by a repeated commit, so no clock here
        data_change=True,
        stats=file.stats,
    )
