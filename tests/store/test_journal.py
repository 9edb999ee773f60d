"""The log of nights: one JSON object a line, without anything of a record."""

from __future__ import annotations

import datetime as dt
import json
import logging

import pytest
from pyspark.errors import AnalysisException

from chronotope.errors import DataError, SourceError, StoreError
from chronotope.ingest.source import load_source
from chronotope.store import journal
from chronotope.store.inputs import plain_errors

NIGHT, NOW = dt.date(2012, 10, 31), dt.datetime(2012, 11, 1, 3, tzinfo=dt.UTC)


def test_lines_are_added_and_each_is_an_object(tmp_path):
    (tmp_path / "_night").mkdir()
    for n in range(3):
        journal.append(tmp_path, {"n": n, "text": "茶\nhouse"})
    lines = (tmp_path / journal.LOG).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["n"] for line in lines] == [0, 1, 2]


def test_a_log_that_cannot_be_written_is_warned_of_and_ends_nothing(tmp_path, caplog):
    journal.append(tmp_path / "nowhere", {"n": 1})
    assert "cannot write" in caplog.text
    assert "No such file" in caplog.text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreError("table items: staged file a.parquet is gone"), "table items: staged file a.parquet is gone"),
        (DataError("the value 'u17' of 'demo' is none"), "the value '...' of '...' is none"),
        (OSError(28, "No space left on device", "u17"), "No space left on device"),
        (RuntimeError("row u17"), ""),
    ],
)
def test_a_failure_is_told_without_what_may_come_from_a_record(error, said):
    entry = journal.failed(NIGHT, "ingest", 1.5, error, NOW)
    assert entry == {
        "at": "2012-11-01T03:00:00+00:00", "night": "2012-10-31", "stage": "ingest", "status": "failed",
        "seconds": 1.5, "error": type(error).__name__, "message": said,
    }  # fmt: skip


def test_of_sparks_errors_the_condition_is_told(spark):
    with pytest.raises(AnalysisException) as caught:
        spark.sql("SELECT u17")
    assert journal.message_of(caught.value) == "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION"


def test_of_what_spark_said_within_a_message_the_condition_is_told(spark, settings_file):
    source = load_source(settings_file.parent / "sources" / "demo.yaml")
    with pytest.raises(SourceError, match="41791234567") as caught, plain_errors(source):
        spark.createDataFrame([(41791234567,)], "phone BIGINT").selectExpr("cast(phone as INT)").collect()
    said = journal.message_of(caught.value)
    assert said.startswith("demo: an expression failed on a record: [CAST_OVERFLOW] In a source, use the try_ form")
    assert "4179" not in said


def test_every_log_record_can_be_a_json_line():
    plain = logging.LogRecord("chronotope", logging.INFO, __file__, 1, "night %s", ("2012-10-31",), None)
    told = logging.makeLogRecord({"msg": "done", "entry": {"stage": "ingest"}})
    lines = [json.loads(journal.JsonLines().format(record)) for record in (plain, told)]
    assert (lines[0]["level"], lines[0]["message"]) == ("info", "night 2012-10-31")
    assert lines[1] == {"stage": "ingest"}
