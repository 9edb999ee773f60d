"""Tables that were written before a column was declared are still read, and written on."""

from __future__ import annotations

import dataclasses

import pytest
from deltalake import DeltaTable

from chronotope.store.forget import forget
from chronotope.store.manifest import Manifest
from chronotope.store.snapshot import all_runs, open_snapshot, snapshots
from chronotope.store.sql import select
from chronotope.store.upkeep import locked
from chronotope.tables import TABLES
from tests.store.published import FINISHED_AT, begin, publish

FIRST, SECOND = "2012-10-30", "2012-10-31"
NEW = ("bytes_written", "peak_memory_bytes")
REJECTS = [{"record_id": name, "source": "s", "record": f'{{"user":"{name}"}}'} for name in ("ann", "bob")]


@pytest.fixture
def older(spark, tmp_path, in_format, monkeypatch):
    """A night that was published when `runs` had not the columns of what a stage costs, and `rejects` no user_id."""
    with monkeypatch.context() as patched:
        for name, new in (("runs", NEW), ("rejects", ("user_id",))):
            now = TABLES[name]
            then = dataclasses.replace(now, columns=tuple(c for c in now.columns if c.name not in new))
            patched.setitem(TABLES, name, then)
        publish(spark, tmp_path, FIRST, in_format, {"events": [{"event_id": "old"}], "rejects": REJECTS})
    return tmp_path


def test_columns_that_were_not_there_are_null(older):
    assert {row[name] for row in all_runs(older) for name in NEW} == {None}
    found = select(open_snapshot(older), "SELECT stage, bytes_written, seconds FROM runs").rows
    assert {row["bytes_written"] for row in found} == {None}
    assert {row["seconds"] for row in found} == {1.5, 12.0}


def test_the_next_night_adds_them(spark, older, in_format):
    publish(spark, older, SECOND, in_format, {"events": [{"event_id": "new"}]})
    first, second = (snapshot.run for snapshot in snapshots(older))
    assert (first["bytes_written"], first["peak_memory_bytes"]) == (None, None)
    assert second["bytes_written"] > 0
    asked = "SELECT night, sum(bytes_written) AS n FROM runs WHERE stage = 'night' GROUP BY night ORDER BY night"
    assert [row["n"] for row in select(open_snapshot(older), asked).rows] == [None, second["bytes_written"]]
    if in_format.night.format == "delta":
        assert {field.name for field in DeltaTable(older / "runs").schema().fields} == set(TABLES["runs"].names)
        stages = {row["stage"] for row in select(open_snapshot(older), "SELECT DISTINCT stage FROM runs").rows}
        assert stages == {run["stage"] for run in all_runs(older)}


def test_rejects_of_before_are_read_beside_new_ones(spark, older, in_format):
    publish(spark, older, SECOND, in_format, {"rejects": [{**REJECTS[0], "user_id": "s:ann"}]})
    asked = "SELECT record_id, user_id, night FROM rejects ORDER BY night, record_id"
    found = [(row["record_id"], row["user_id"]) for row in select(open_snapshot(older), asked).rows]
    assert found == [("ann", None), ("bob", None), ("ann", "s:ann")]
    night = begin(spark, older, "2012-11-01", in_format)
    assert sorted(row.user_id or "" for row in night.earlier("rejects").collect()) == ["", "", "s:ann"]


@pytest.mark.parametrize("nights", [(FIRST,), (FIRST, SECOND)], ids=["before the column", "after it"])
def test_a_user_is_forgotten_in_rejects_of_before(spark, older, in_format, nights):
    for night in nights[1:]:
        publish(spark, older, night, in_format, {"rejects": [{**row, "user_id": "s:ann"} for row in REJECTS]})
    with locked(older, dry_run=False) as folder:
        forget(folder, "s:ann")
    rows = select(open_snapshot(older), "SELECT record_id, user_id FROM rejects").rows
    assert rows == [{"record_id": "bob", "user_id": None}]


def test_a_manifest_of_before_is_read(tmp_path):
    path = tmp_path / "ingest.json"
    Manifest("ingest", {}, 1.5, FINISHED_AT.isoformat(), {"settings": "digest"}, 20).save(path)
    assert Manifest.load(path).peak_memory_bytes == 20
    path.write_text('{"stage": "ingest", "tables": {}, "seconds": 1.5, "finished_at": "", "made_from": {}}')
    assert (Manifest.load(path).peak_memory_bytes, Manifest.load(path).bytes_written) == (None, 0)
