"""Small logs for the tests of ingest: a base source and a base record, and what a test changes of them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession

from chronotope.ingest.records import records_of
from chronotope.ingest.rules import judge
from chronotope.ingest.source import Source
from chronotope.ingest.span import Span

NIGHT = dt.date(2012, 10, 31)
FIELDS = ("n", "key", "user", "item", "action", "at", "offset", "zone", "lat", "lon", "city", "value", "query", "name")
BASE = {"n": "0", "user": "u1", "item": "i1", "action": "view", "at": "2012-10-31T10:00:00Z", "offset": "0"}
DDL = ", ".join(f"{name} STRING" for name in FIELDS) + ", _corrupt_record STRING, _arrival_day DATE"


def source(
    by_day: bool = True, identical: str = "same", key: Sequence[str] = ("coalesce(key, n)",), **changes: Any
) -> Source:
    """The base source: one input `log` whose columns are FIELDS; `changes` replace keys of its events' columns."""
    columns = {
        "user_id": "user", "item_id": "item", "action": "action", "occurred_at": "at", "utc_offset_min": "offset",
        "time_zone": "zone", "lat": "lat", "lon": "lon", "region": "city", "value": "value", "query": "query",
    }  # fmt: skip
    path = "{day}.json" if by_day else "log.json"
    values = {
        "name": "s",
        "description": "a log of the tests",
        "inputs": {"log": {"path": path, "format": "json", "schema": "n STRING"}},
        "events": {
            "from": "log", "key": list(key), "identical": identical,
            "columns": columns | changes.pop("columns", {}),
        },
        "items": {"from": "log", "columns": {"item_id": "item", "title": "name", "lat": "lat", "lon": "lon"}},
    }  # fmt: skip
    return Source.model_validate(values | changes)


def log(spark: SparkSession, rows: list[dict[str, Any]]) -> DataFrame:
    """The frame of input `log`; each row gets its number as `n`, and arrives on the night unless it says otherwise."""
    full = [
        dict.fromkeys(FIELDS) | BASE | {"n": str(n), "_corrupt_record": None, "_arrival_day": NIGHT} | row
        for n, row in enumerate(rows)
    ]
    return spark.createDataFrame([tuple(row[c.split()[0]] for c in DDL.split(", ")) for row in full], DDL)


def night(date: dt.date = NIGHT, previous: dt.date | None = None, time_zone: str = "UTC", late_days: int = 3) -> Span:
    return Span(date, previous, time_zone, late_days)


def judged(
    spark: SparkSession, defaults: Any, rows: list[dict[str, Any]], of: Source | None = None, **options: Any
) -> DataFrame:
    """The judged frame of the rows."""
    of = of or source()
    records = records_of({"log": log(spark, rows)}, of)
    return judge(records, of, defaults.ingest, options.pop("night", night()), **options)


def verdicts(rows: list[Row]) -> dict[int, str]:
    """What became of each refused row by its `n`: the reasons, joined by blanks."""
    return {int(json.loads(row.record)["n"]): " ".join(row.reasons) for row in rows if row.outcome == "refused"}


def outcomes(rows: list[Row]) -> list[str]:
    """The sorted outcomes."""
    return sorted(row.outcome for row in rows)


def ids(spark: SparkSession, rows: list[Row]) -> DataFrame:
    """The ids of the accepted rows, as the next night gets them."""
    return spark.createDataFrame([(r.event_id,) for r in rows if r.outcome == "accepted"], "event_id string")


def one(frame: DataFrame) -> Row:
    """The only row of a frame."""
    (row,) = frame.collect()
    return row
