"""Parquet written again: the rows that are kept, in order, whatever they hold."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from chronotope.errors import StoreError
from chronotope.store.rewrite import GROUP_BYTES, rewrite, rows_in

NESTED = pa.schema(
    [
        ("id", pa.int64()),
        ("at", pa.timestamp("us", tz="UTC")),
        ("terms", pa.list_(pa.struct([("term", pa.string()), ("weight", pa.float64())]))),
        ("parts", pa.map_(pa.string(), pa.float64())),
    ]
)


def row(number):
    at = dt.datetime(2012, 10, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=number)
    return {"id": number, "at": at, "terms": [{"term": "茶", "weight": 0.5}] * (number % 3), "parts": [("a", 1.0)]}


def written(path, rows, **options):
    pq.write_table(pa.Table.from_pylist(rows, schema=NESTED), path, **options)
    return path


def test_rows_of_several_files_come_in_order_with_their_types(tmp_path):
    rows = [row(number) for number in range(10)]
    sources = [written(tmp_path / "a", rows[:7], row_group_size=2), written(tmp_path / "b", rows[7:])]
    assert rewrite(sources, tmp_path / "new" / "c.parquet") == 10
    found = pq.ParquetFile(tmp_path / "new" / "c.parquet")
    assert found.schema_arrow == NESTED
    assert found.read().to_pylist() == rows
    assert found.num_row_groups == 1
    assert rows_in(tmp_path / "new" / "c.parquet") == 10


def test_only_rows_of_the_mask_are_kept_and_a_file_without_any_is_not_left(tmp_path):
    source = written(tmp_path / "a", [row(number) for number in range(10)], compression="zstd")
    assert rewrite([source], tmp_path / "even", lambda batch: pc.equal(pc.bit_wise_and(batch["id"], 1), 0)) == 5
    even = pq.ParquetFile(tmp_path / "even")
    assert even.read()["id"].to_pylist() == [0, 2, 4, 6, 8]
    assert even.metadata.row_group(0).column(0).compression == "ZSTD"
    assert rewrite([source], tmp_path / "none", lambda batch: pc.less(batch["id"], 0)) == 0
    assert not (tmp_path / "none").exists()


def test_a_row_group_holds_what_memory_should(tmp_path):
    long = "x" * 2**13
    rows = GROUP_BYTES // len(long) * 5 // 2
    pq.write_table(pa.table({"text": [long] * rows}), tmp_path / "a", row_group_size=500)
    assert rewrite([tmp_path / "a"], tmp_path / "b") == rows
    metadata = pq.read_metadata(tmp_path / "b")
    sizes = [metadata.row_group(group).num_rows * len(long) for group in range(metadata.num_row_groups)]
    assert len(sizes) > 1
    assert max(sizes) < 2 * GROUP_BYTES


def test_a_source_that_is_no_parquet_is_a_store_error(tmp_path):
    (tmp_path / "a").write_bytes(b"PAR1 and no more")
    with pytest.raises(StoreError, match="cannot rewrite"):
        rewrite([tmp_path / "a"], tmp_path / "b")
