"""Small nights, really staged and published, for tests of what stores and reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from chronotope.config import Settings
from chronotope.flow import BY_NAME, STAGES
from chronotope.store.night import Night, open_night
from tests.rows import frame

FINISHED_AT = dt.datetime(2012, 11, 1, 3, tzinfo=dt.UTC)
Rows = list[dict[str, Any]]


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def begin(spark: SparkSession, tables_dir: Path, date: str, settings: Settings) -> Night:
    (tables_dir / "_night").mkdir(parents=True, exist_ok=True)
    return open_night(spark, tables_dir, day(date), settings)


def stage(night: Night, tables: Mapping[str, Rows], first: str = STAGES[0], last: str = STAGES[-1]) -> Night:
    """Run the stages from `first` to `last`: each writes the given rows of the tables that are its to write."""
    for name in STAGES[STAGES.index(first) : STAGES.index(last) + 1]:
        night.begin(name)
        for table in BY_NAME[name].gives:
            if table in tables:
                rows = [{"night": night.date, **row} for row in tables[table]]
                night.write(table, frame(night.spark, table, rows))
        night.finish(name, 1.5, FINISHED_AT)
    return night


def publish(spark: SparkSession, tables_dir: Path, date: str, settings: Settings, tables: Mapping[str, Rows]) -> Night:
    night = stage(begin(spark, tables_dir, date, settings), tables)
    night.publish()
    return night
