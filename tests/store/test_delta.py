"""Delta tables as other engines see them, and the traps that the commit guards against."""

from __future__ import annotations

import datetime as dt
import json
import math
import shutil

import duckdb
import polars
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder

from chronotope.errors import StoreError
from chronotope.store.delta import paths_at, replace_night, version_of
from chronotope.store.files import measure
from chronotope.tables import TABLES
from tests.rows import MONDAY, frame
from tests.store.published import day, publish

NIGHT = "2012-10-31"
EVENTS = [
    {"event_id": "e1", "value": 1.5, "query": "茶 ☕ \u202e", "lat": -90.0, "lon": 180.0},
    {"event_id": "e2", "value": float("nan"), "occurred_at": MONDAY - dt.timedelta(microseconds=1)},
    {"event_id": "e3", "value": None, "item_id": None, "query": "x" * 1000},
]
NESTED = {
    "interests": [{"user_id": "s:u1", "horizon": "long", "terms": [("tea", 0.8), ("茶", 0.6)], "as_of": MONDAY}],
    "recommendations": [{"user_id": "*", "rank": 1, "item_id": "s:i1", "parts": {"popular": 0.5}, "reason": "why"}],
    "user_states": [{"user_id": "s:u1", "model": "m", "state": [0.25, -1.0], "long": [], "short": None}],
}


@pytest.fixture(scope="module")
def tables_dir(_spark_session, tmp_path_factory, defaults):
    """One published night; the tests of it only read."""
    folder = tmp_path_factory.mktemp("delta")
    publish(_spark_session, folder, NIGHT, defaults, {"events": EVENTS, **NESTED})
    return folder


def same(left, right):
    """Equal, where not-a-number equals itself."""
    if isinstance(left, float) and math.isnan(left):
        return isinstance(right, float) and math.isnan(right)
    return left == right


def queried(tables_dir, name, sql):
    """The answer of delta-rs's own engine, as an Arrow table."""
    return QueryBuilder().register(name, DeltaTable(tables_dir / name)).execute(sql).read_all()


def test_every_engine_reads_the_rows_that_spark_wrote(tables_dir):
    names = ["event_id", "value", "query", "occurred_at", "night"]
    fusion = queried(tables_dir, "events", f"SELECT {', '.join(names)} FROM events ORDER BY event_id")
    duck = duckdb.sql("SELECT * FROM fusion").fetchall()
    pola = polars.read_delta(str(tables_dir / "events")).sort("event_id").select(names).rows()
    wanted = [
        tuple({"occurred_at": MONDAY, "night": day(NIGHT), "query": None, **row}[name] for name in names)
        for row in EVENTS
    ]
    fused = list(zip(*[fusion.column(i).to_pylist() for i in range(5)], strict=True))
    for found in (duck, pola, fused):
        assert len(found) == len(wanted)
        assert all(
            same(a, b) for row, other in zip(found, wanted, strict=True) for a, b in zip(row, other, strict=True)
        )


def test_nested_columns_are_read_back(tables_dir):
    columns = {name: queried(tables_dir, name, f"SELECT * FROM {name}") for name in NESTED}
    read = {name: {of: table.column(of)[0].as_py() for of in table.column_names} for name, table in columns.items()}
    assert read["interests"]["terms"] == [{"term": "tea", "weight": 0.8}, {"term": "茶", "weight": 0.6}]
    assert dict(read["recommendations"]["parts"]) == {"popular": 0.5}
    assert [read["user_states"][name] for name in ("state", "long", "short")] == [[0.25, -1.0], [], None]


def test_the_log_has_the_declaration_with_its_comments(tables_dir):
    table = DeltaTable(tables_dir / "events")
    assert table.metadata().partition_columns == ["night"]
    assert table.metadata().description == TABLES["events"].grain
    comments = {field.name: field.metadata["comment"] for field in table.schema().fields}
    assert comments == {column.name: column.comment for column in TABLES["events"].columns}
    assert table.protocol().min_reader_version == 1  # every Delta reader there is


def test_statistics_are_right_and_leave_out_what_cannot_be_a_bound(spark, tmp_path):
    folder = tmp_path / "night=2012-10-31" / "a"
    frame(spark, "events", EVENTS).coalesce(1).drop("night").write.parquet(str(folder))
    (file,) = measure(TABLES["events"], tmp_path, folder)
    stats = json.loads(file.stats)
    assert (file.rows, stats["numRecords"]) == (3, 3)
    assert file.size == (tmp_path / file.path).stat().st_size
    assert (stats["minValues"]["event_id"], stats["maxValues"]["event_id"]) == ("e1", "e3")
    assert stats["minValues"]["occurred_at"] == "2012-09-30T23:59:59.999999Z"
    assert stats["maxValues"]["occurred_at"] == "2012-10-01T00:00:00.000000Z"
    assert (stats["minValues"]["lat"], stats["maxValues"]["lat"]) == (-90.0, -90.0)
    assert stats["nullCount"]["item_id"] == 1
    assert stats["nullCount"]["cell"] == 3
    for column in ("query", "value", "cell"):  # a text too long, a NaN, nulls only
        assert column not in stats["minValues"], column
        assert column not in stats["maxValues"], column


def test_statistics_never_hide_a_row_from_a_filter(tables_dir):
    table = DeltaTable(tables_dir / "events")
    ask = QueryBuilder().register("events", table)
    conditions = ["event_id = 'e3'", "query LIKE 'xxx%'", "lat = -90", "value = 1.5", "slot = 0", "isnan(value)"]
    conditions += ["occurred_at < TIMESTAMP '2012-10-01 00:00:00'", "item_id IS NULL", "night = '2012-10-31'"]
    for condition in conditions:
        assert ask.execute(f"SELECT * FROM events WHERE {condition}").read_all().num_rows >= 1, condition


def files_of(spark, root, attempt, names):
    folder = root / f"night={NIGHT}" / attempt
    rows = [{"event_id": name} for name in names]
    frame(spark, "events", rows).coalesce(1).drop("night").write.parquet(str(folder))
    return measure(TABLES["events"], root, folder)


def test_repeating_a_finished_commit_adds_no_version(spark, tmp_path):
    files = files_of(spark, tmp_path, "a", ["e1"])
    versions = [replace_night(TABLES["events"], tmp_path, day(NIGHT), "a", files) for _ in range(3)]
    assert len(set(versions)) == 1
    assert paths_at(tmp_path, versions[0]) == {day(NIGHT): [files[0].path]}


def test_a_new_attempt_replaces_its_night_only(spark, tmp_path):
    table, other = TABLES["events"], day("2012-10-30")
    for night, attempt, name in ((other, "x", "e0"), (day(NIGHT), "a", "e1"), (day(NIGHT), "b", "e2")):
        folder = tmp_path / f"night={night}" / attempt
        frame(spark, "events", [{"event_id": name}]).coalesce(1).drop("night").write.parquet(str(folder))
        version = replace_night(table, tmp_path, night, attempt, measure(table, tmp_path, folder))
    paths = [tmp_path / path for paths in paths_at(tmp_path, version).values() for path in paths]
    assert [pq.ParquetFile(path).read()["event_id"].to_pylist() for path in paths] == [["e0"], ["e2"]]


def test_another_writer_in_the_same_night_is_noticed(spark, tmp_path):
    mine = files_of(spark, tmp_path, "mine", ["e1"])
    theirs = files_of(spark, tmp_path, "theirs", ["e2"])
    replace_night(TABLES["events"], tmp_path, day(NIGHT), "mine", mine)
    replace_night(TABLES["events"], tmp_path, day(NIGHT), "theirs", theirs)
    with pytest.raises(StoreError, match="does not read back as committed; is another writer here"):
        replace_night(TABLES["events"], tmp_path, day(NIGHT), "mine", mine)


def test_a_broken_log_is_a_store_error_that_names_it(tables_dir, tmp_path):
    tables_dir = shutil.copytree(tables_dir, tmp_path / "broken")
    assert version_of(tables_dir / "nothing") is None
    for entry in (tables_dir / "events" / "_delta_log").glob("*.json"):
        entry.write_text("{", encoding="utf-8")
    with pytest.raises(StoreError, match="events"):
        version_of(tables_dir / "events")
    with pytest.raises(StoreError, match="cannot read version 1 of the Delta table"):
        paths_at(tables_dir / "events", 1)
