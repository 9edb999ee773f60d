"""Real faults, each once, and what people are told; whole nights with them are in tests/nights/test_faults.py."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from chronotope.errors import DataError, LostError, StoreError, UsageError
from chronotope.store.faults import first_line, plain_faults


def test_a_full_disk_says_so(tmp_path):
    with pytest.raises(StoreError, match=r"No space left on device.*free some; .*same command again") as caught, \
            plain_faults(tmp_path), Path("/dev/full").open("w", encoding="utf-8", buffering=1) as file:  # fmt: skip
        file.write("more than fits\n")
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("content", [b"no parquet", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_damaged_file_is_a_tables_or_an_inputs(spark, tmp_path, content):
    tables = tmp_path / "tables"
    for folder, error, said in (
        (tables / "events", StoreError, r"table events: cannot read \S+part-0\.parquet \(.+\)\. Put the file back"),
        (tmp_path / "log", DataError, r"cannot read the input \S+log/part-0\.parquet .* delivered again"),
    ):
        folder.mkdir(parents=True)
        (folder / "part-0.parquet").write_bytes(content)
        with pytest.raises(error, match=said), plain_faults(tables):
            spark.read.schema("a INT").parquet(str(folder)).collect()


def gone(spark, folder):
    frame = spark.read.schema("a INT").parquet(str(folder))
    (folder / "part-0.parquet").rename(folder / "_part-0.parquet")
    try:
        frame.collect()
    finally:
        (folder / "_part-0.parquet").rename(folder / "part-0.parquet")


FAULTS = {
    "damaged": lambda spark, folder: spark.read.schema("a INT").parquet(str(folder)).collect(),
    "damaged, read for its columns": lambda spark, folder: spark.read.parquet(str(folder)),
    "not there": lambda spark, folder: spark.read.parquet(str(folder / "part-1.parquet")),
    "gone": gone,
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_tables_file_is_known_through_links_and_blanks(spark, tmp_path, fault):
    real, tables = tmp_path / "a disk, 100%", tmp_path / "my tables"
    (real / "events").mkdir(parents=True)
    tables.symlink_to(real)
    (tables / "events" / "part-0.parquet").write_bytes(b"no parquet")
    for root in (tables, real):
        with pytest.raises(StoreError, match=f"table events: cannot read {root}/events/part-"), plain_faults(tables):
            fault(spark, root / "events")


def test_a_file_that_is_gone_is_named(spark, tmp_path):
    folder = tmp_path / "events"
    spark.range(10).write.parquet(str(folder))
    frame = spark.read.schema("id BIGINT").parquet(str(folder))
    for path in folder.glob("*.parquet"):
        path.unlink()
    with pytest.raises(StoreError, match=r"table events: cannot read \S+\.parquet"), plain_faults(tmp_path):
        frame.collect()


def test_a_python_worker_that_is_killed_is_lost(spark, tmp_path):
    def die(batches):
        os.kill(os.getpid(), signal.SIGKILL)
        yield from batches

    with pytest.raises(LostError, match="a Python worker was killed or ran out of memory") as caught, \
            plain_faults(tmp_path):  # fmt: skip
        spark.range(1).mapInPandas(die, "id BIGINT").collect()
    assert caught.value.exit_code == 9


def test_a_jvm_that_is_gone_is_lost(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(LostError, match="Spark's JVM ended"), plain_faults(tmp_path):
        socket.create_connection(("127.0.0.1", port))


def test_a_file_where_a_folder_should_be_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StoreError, match="file/folder: Not a directory"), plain_faults(tmp_path):
        (tmp_path / "file" / "folder").mkdir()


def test_what_says_enough_or_nobody_foresaw_stays_as_it_is(tmp_path):
    with pytest.raises(UsageError, match="give another date"), plain_faults(tmp_path):
        raise UsageError("give another date")
    with pytest.raises(ZeroDivisionError), plain_faults(tmp_path):
        _ = 1 / 0


def test_what_java_said_comes_first(spark):
    assert first_line(ValueError("one\ntwo")) == "ValueError: one"
    with pytest.raises(Exception, match="An error occurred while calling") as caught:
        spark._jvm.java.util.ArrayList().get(3)
    assert first_line(caught.value).endswith(
        "Error: java.lang.IndexOutOfBoundsException: Index 3 out of bounds for length 0"
    )
