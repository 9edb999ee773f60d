"""Plain Parquet tables, read by engines that know nothing of Chronotope."""

from __future__ import annotations

import duckdb
import polars
import pytest

from chronotope.config import load_settings
from chronotope.errors import StoreError
from chronotope.store.parquet import paths_at, version_of
from tests.store.published import begin, day, publish, stage

FIRST, SECOND = "2012-10-30", "2012-10-31"


@pytest.fixture
def plain(settings_file):
    return load_settings(settings_file, overrides=["night.format=parquet"])


def test_spark_duckdb_and_polars_read_the_folder_as_it_is(spark, tmp_path, plain):
    publish(spark, tmp_path, FIRST, plain, {"events": [{"event_id": "a"}]})
    publish(spark, tmp_path, SECOND, plain, {"events": [{"event_id": "b"}]})
    stage(begin(spark, tmp_path, "2012-11-01", plain), {"events": [{"event_id": "staged only"}]})
    wanted = [("a", day(FIRST)), ("b", day(SECOND))]
    files = f"{tmp_path}/events/night=*/*/*.parquet"
    by_spark = spark.read.parquet(str(tmp_path / "events")).orderBy("event_id").select("event_id", "night").collect()
    by_duckdb = duckdb.sql(f"SELECT event_id, night FROM read_parquet('{files}', hive_partitioning=true) ORDER BY 1")
    by_polars = (
        polars.scan_parquet(files, hive_partitioning=True).sort("event_id").select("event_id", "night").collect()
    )
    assert [tuple(row) for row in by_spark] == wanted
    assert by_duckdb.fetchall() == wanted
    assert by_polars.rows() == wanted


def test_what_a_night_replaces_is_removed(spark, tmp_path, plain):
    for name in ("old", "new"):
        publish(spark, tmp_path, FIRST, plain, {"events": [{"event_id": name}]})
    attempts = list((tmp_path / "events" / f"night={FIRST}").iterdir())
    assert len(attempts) == 1
    assert not list((tmp_path / "events" / "_staged").rglob("*.parquet"))


def test_a_version_that_is_not_there_is_a_store_error(tmp_path):
    assert version_of(tmp_path) is None
    with pytest.raises(StoreError, match="cannot read version 7 of the Parquet table"):
        paths_at(tmp_path, 7)
