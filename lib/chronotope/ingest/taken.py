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
    if source.by_day and night.previous is not None:
        oldest = end_of(night.previous + dt.timedelta(1 - night.late_days), night.time_zone)
        own = own.where(F.col("occurred_at") >= F.lit(oldest))
    return own.select("event_id")
