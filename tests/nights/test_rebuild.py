"""Nights one by one equal one pass over the whole log, and a night touches the users of its events alone."""

from __future__ import annotations

import datetime as dt

import pytest

from chronotope.store.snapshot import open_snapshot
from chronotope.store.sql import select
from tests.nights.conftest import LAST, made_world
from tests.nights.standing import differences, standing


def users(nights, sql):
    return {row["user_id"] for row in select(open_snapshot(nights.tables), sql).rows}


def test_between_refreshes_only_the_users_of_the_nights_events_are_touched(nights):
    tonight = f"night = DATE '{LAST}'"
    met = users(nights, f"SELECT user_id FROM events_history WHERE {tonight} AND item_id IS NOT NULL")
    for table in ("histories", "user_states", "forecasts", "recommendations"):
        assert users(nights, f"SELECT DISTINCT user_id FROM {table}_history WHERE {tonight}") == met
    others = users(nights, "SELECT DISTINCT user_id FROM recommendations") - met - {"*"}
    assert others
    for table in ("terms", "models", "ranks"):
        assert select(open_snapshot(nights.tables), f"SELECT * FROM {table}_history WHERE {tonight}").rows == []


def test_two_nights_equal_one_pass(nights, tmp_path):
    assert_rebuild_equals(nights, tmp_path, LAST)


@pytest.mark.slow
def test_seven_nights_with_a_refresh_among_them_equal_one_pass(tmp_path):
    nights = made_world(tmp_path, "--users", "40", "--late-share", "0.05", "--duplicate-share", "0.05")
    first = dt.date(2026, 2, 25)  # a Wednesday: the refresh is on Monday, with the sixth night
    for days in range(7):
        night = nights.run(str(first + dt.timedelta(days)))
        assert night.returncode == 0, night.stdout + night.stderr
    assert open_snapshot(nights.tables).refreshed_on == dt.date(2026, 3, 2)
    assert_rebuild_equals(nights, tmp_path, str(first + dt.timedelta(6)))


def assert_rebuild_equals(nights, folder, date):
    again = nights.elsewhere(folder / "rebuilt")
    made = again.run(date, "--rebuild", str(nights.tables))
    assert made.returncode == 0, made.stdout + made.stderr
    model = open_snapshot(nights.tables).run["model"]
    assert model.startswith("space_time"), "counting has no states that could differ"
    assert all(users(nights, "SELECT array_length(state) AS user_id FROM user_states"))
    one, other = (standing(open_snapshot(tables)) for tables in (nights.tables, again.tables))
    assert {table for table, rows in one.items() if not rows} == set()
    assert differences(one, other)[:10] == []
