"""Which nights renew what all users share."""

from __future__ import annotations

import datetime as dt


def is_refresh(last: dt.date | None, night: dt.date, refresh_days: int) -> bool:
    """Whether a night is a refresh: the first one, and the first in each period of `refresh_days`.

    Periods are counted from 0001-01-01 (a Monday), so the calendar does not depend on when a log was begun; a period
    whose first night did not run is begun by its next one.

    >>> [is_refresh(dt.date(2012, 10, 28), dt.date(2012, 10, day), 7) for day in (28, 29)]  # a Sunday and a Monday
    [False, True]

    Args:
        last: the latest refresh before the night; None where there was none.
        night: the night asked about.
        refresh_days: `night.refresh_days`.

    """
    if last is None:
        return True
    # Ordinal 1 is the first Monday.
    return (night.toordinal() - 1) // refresh_days > (last.toordinal() - 1) // refresh_days
