"""Base rows and overrides, so that a test shows only the columns it is about."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from chronotope.tables import TABLES

MONDAY = dt.datetime(2012, 10, 1, tzinfo=dt.UTC)  # 2012-10-01 was a Monday
NIGHT = dt.date(2012, 10, 31)

BASE: dict[str, dict[str, Any]] = {
    "events": {
        "event_id": "e1", "source": "s", "user_id": "s:u1", "item_id": "s:i1", "action": "view",
        "occurred_at": MONDAY, "utc_offset_min": 0, "slot": 0, "lat": None, "lon": None, "cell": None,
        "region": None, "value": None, "query": None, "night": NIGHT,
    },
    "items": {
        "item_id": "s:i1", "source": "s", "title": "item 1", "text": "item 1", "category": None, "language": "Latn",
        "lat": None, "lon": None, "cell": None, "region": None, "text_digest": "d1", "first_seen": MONDAY,
        "night": NIGHT,
    },
}  # fmt: skip


def frame(spark: SparkSession, table: str, rows: list[dict[str, Any]]) -> DataFrame:
    """A frame of a declared table; missing columns come from `BASE`, else are null."""
    declared = TABLES[table]
    base = dict.fromkeys(declared.names) | {"night": NIGHT} | BASE.get(table, {})
    unknown = {name for row in rows for name in row} - set(declared.names)
    assert not unknown, f"{table} has no {sorted(unknown)}"
    return spark.createDataFrame([tuple((base | row)[n] for n in declared.names) for row in rows], declared.schema())
