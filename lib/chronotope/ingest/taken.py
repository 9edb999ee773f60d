"""Which events of earlier nights a night's records may repeat."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.ingest.source import Source
from chronotope.ingest.span import Span
from chronotope.slots import end_of


def taken_before(events: DataFrame, source: Source, night: Span) -> DataFrame:
    """The `event_id` of the source's earlier events that could come again without being refused as too late.

    A log delivered whole brings all of them. One delivered by day brings only those of the last `late_days` before
    the first arrival day that this night reads: an older copy is too late whatever it repeats.
    """
    own = events.where(F.col("source") == source.name)
    before = day_before_copies(source, night)
    if before is not None:
        own = own.where(F.col("occurred_at") >= F.lit(end_of(before, night.time_zone)))
    return own.select("event_id")


def day_before_copies(source: Source, night: Span) -> dt.date | None:
    """The day after whose end an event must lie to come again; no night up to that day took one in.

    None where copies of any event may come.
    """
    if not source.by_day or night.previous is None:
        return None
    return night.previous + dt.timedelta(1 - night.own_days)
