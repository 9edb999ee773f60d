"""When a night begins and ends, for what it takes in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from chronotope.slots import end_of


@dataclass(frozen=True)
class Span:
    """A night, the published night before it (None on the first), and the clock that both end by."""

    date: dt.date
    previous: dt.date | None
    time_zone: str
    late_days: int

    @property
    def end(self) -> dt.datetime:
        """24:00 of the night's date.

        >>> Span(dt.date(2026, 3, 29), None, "Europe/Berlin", 3).end.isoformat()
        '2026-03-29T22:00:00+00:00'
        """
        return end_of(self.date, self.time_zone)

    @property
    def own_days(self) -> int:
        """The days before the end of its arrival day from which an event counts: that day itself always does.

        >>> Span(dt.date(2026, 1, 9), None, "UTC", 0).own_days
        1
        """
        return max(self.late_days, 1)

    @property
    def taken_from(self) -> dt.datetime | None:
        """The oldest time that a log delivered whole may still bring as new; None on the first night.

        >>> Span(dt.date(2026, 1, 9), dt.date(2026, 1, 8), "UTC", 3).taken_from.isoformat()
        '2026-01-06T00:00:00+00:00'
        """
        return end_of(self.previous - dt.timedelta(self.late_days), self.time_zone) if self.previous else None
