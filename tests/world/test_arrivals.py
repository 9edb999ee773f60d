from __future__ import annotations

import datetime as dt

import pytest

from chronotope.world.arrivals import make_arrivals
from chronotope.world.options import BROKEN
from tests.world.sizes import sized

FIRST = sized().first_day
NONE = dict.fromkeys(("late_share", "too_late_share", "duplicate_share", "broken_share"), 0.0)


def arrivals(spark, days=10, n=40, item="i1", **shares):
    """What becomes of `n` events on the first day of a world."""
    options = sized(days=days, **(NONE | shares))
    events = [(f"e{number}", item, FIRST) for number in range(n)]
    return make_arrivals(spark.createDataFrame(events, "event_id string, item string, day int"), options).collect()


def test_without_faults_all_arrive_once_on_their_day(spark):
    rows = arrivals(spark)
    assert len(rows) == 40
    assert {(row.fate, row.arrived, row.copy, tuple(row.reasons)) for row in rows} == {("none", FIRST, 1, ())}


def test_late_events_are_one_or_two_dates_late_and_taken_in(spark):
    rows = arrivals(spark, late_share=1.0)
    assert {row.arrived - FIRST for row in rows} == {1, 2}
    assert {(row.fate, tuple(row.reasons)) for row in rows} == {("late", ())}


def test_events_that_are_too_late_are_four_dates_late_at_least(spark):
    rows = arrivals(spark, too_late_share=1.0)
    assert {row.arrived - FIRST for row in rows} == {4, 5, 6, 7}
    assert {tuple(row.reasons) for row in rows} == {("too_late",)}


def test_the_second_copy_is_the_duplicate_and_comes_no_sooner(spark):
    rows = arrivals(spark, duplicate_share=1.0)
    assert len(rows) == 80
    assert {(row.copy, tuple(row.reasons)) for row in rows} == {(1, ()), (2, ("duplicate",))}
    assert {row.arrived - FIRST for row in rows if row.copy == 1} == {0}
    assert {row.arrived - FIRST for row in rows if row.copy == 2} == {0, 1, 2}


def test_nothing_arrives_after_the_last_day(spark):
    for share in ("late_share", "too_late_share"):
        rows = arrivals(spark, days=1, **{share: 1.0})
        assert {(row.fate, row.arrived, len(row.reasons)) for row in rows} == {("none", FIRST, 0)}
    copies = arrivals(spark, days=1, duplicate_share=1.0)
    assert {row.arrived for row in copies} == {FIRST}
    assert {row.fate for row in copies} == {"none", "duplicate"}


def test_each_kind_of_broken_record_has_its_share_and_its_reasons(spark):
    rows = arrivals(spark, n=2000, broken_share=1 / len(BROKEN))
    kinds = {kind: [row for row in rows if row.fate == kind] for kind in BROKEN}
    for kind, found in kinds.items():
        assert len(found) == pytest.approx(200, abs=60)
        assert {tuple(row.reasons) for row in found} == {tuple(BROKEN[kind])}
        assert {row.arrived for row in found} == {FIRST}


def test_a_search_has_no_item_to_miss(spark):
    rows = arrivals(spark, n=300, item=None, broken_share=1 / len(BROKEN))
    assert "missing_item" not in {row.fate for row in rows}
    assert "none" in {row.fate for row in rows}


def test_days_are_dates_since_1970(spark):
    assert dt.date(1970, 1, 1) + dt.timedelta(days=arrivals(spark, n=1)[0].arrived) == sized().start
