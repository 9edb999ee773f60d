"""Which nights are refreshes."""

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from chronotope.calendar import is_refresh

MONDAY = dt.date(2012, 10, 29)


def test_the_first_night_and_each_new_period_refresh():
    assert is_refresh(None, MONDAY, 7)
    assert not is_refresh(MONDAY, MONDAY + dt.timedelta(6), 7)
    assert is_refresh(MONDAY, MONDAY + dt.timedelta(7), 7)
    assert is_refresh(MONDAY, MONDAY + dt.timedelta(30), 7)


def test_the_same_night_again_does_not():
    assert not is_refresh(MONDAY, MONDAY, 1)


@given(st.integers(0, 60), st.sets(st.integers(0, 60)), st.integers(1, 14))
def test_the_calendar_does_not_depend_on_where_a_rebuild_starts(start, skipped, refresh_days):
    def refreshed(first):
        last, nights = None, []
        for day in range(first, 90):
            night = dt.date(2026, 1, 1) + dt.timedelta(day)
            if day not in skipped and is_refresh(last, night, refresh_days):
                last = night
                nights.append(night)
        return nights

    # Apart from each one's first night, the later start refreshes on a subset of the same nights.
    assert set(refreshed(start)[1:]) <= set(refreshed(0))
