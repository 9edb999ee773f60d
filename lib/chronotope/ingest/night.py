"""When a night begins and ends."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from pyspark.sql import Column
from pyspark.sql import functions as F


@dataclass(frozen=True)
class Night:
    """A night, the published night before it (None on the first), and the clock that both end by."""

    date: dt.date
    previous: dt.date | None
    time_zone: str
    late_days: int

    @property
    def end(self) -> dt.datetime:
        """24:00 of the night's date.

        >>> Night(dt.date(2026, 3, 29), None, "Europe/Berlin", 3).end.isoformat()
        '2026-03-30T00:00:00+02:00'
        """
        return end_of(self.date, self.time_zone)

    @property
    def taken_from(self) -> dt.datetime | None:
        """The oldest time that a log delivered whole may still bring as new; None on the first night.

        >>> Night(dt.date(2026, 1, 9), dt.date(2026, 1, 8), "UTC", 3).taken_from.isoformat()
        '2026-01-06T00:00:00+00:00'
        """
        return end_of(self.previous - dt.timedelta(self.late_days), self.time_zone) if self.previous else None


def end_of(date: dt.date, time_zone: str) -> dt.datetime:
    """The moment at which a date ends in a time zone."""
    return dt.datetime.combine(date + dt.timedelta(1), dt.time(), ZoneInfo(time_zone))


def day_end(day: Column, time_zone: str, days_before: int = 0) -> Column:
    """The moment at which a date column's day, or the day so many days before, ends in a time zone."""
    # A date becomes midnight in the session's zone, which is UTC everywhere in this project.
    return F.to_utc_timestamp(F.date_add(day, 1 - days_before).cast("timestamp"), time_zone)
