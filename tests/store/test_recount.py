"""Sums over nights when settings change: counted anew from all events, or gone on with where some are gone."""

from __future__ import annotations

import datetime as dt
import logging

import pytest
from chispa import assert_approx_df_equality

import interest
import sessions
from chronotope.config import load_settings
from chronotope.interest import term_sums, tokens
from chronotope.sessions import counts
from chronotope.store.recount import counts_anew
from chronotope.store.retain import retain
from chronotope.store.upkeep import locked
from tests.rows import MONDAY, frame
from tests.store.published import FINISHED_AT, begin, publish, stage

LONG_AGO, FIRST, SECOND, THIRD = "2012-10-15", "2012-10-29", "2012-10-30", "2012-10-31"
ITEMS = [
    {"item_id": "s:i1", "text": "green tea", "text_digest": "1"},
    {"item_id": "s:i2", "text": "tea pot", "text_digest": "2"},
]
SUMS = {"user_id": "s:u1", "terms": "tea", "long": [9.0], "short": [9.0]}
MODEL = {"model_id": "m", "chosen": True, "decision": "better", "path": "_models/m"}
CHANGES = (
    "night.dayparts={always: [[0, 6, 0, 24]]}", "interest.action_weights.buy=50.0",
    "interest.half_life_long_days=10.0", "interest.min_token_chars=4", "recommend.hide_actions=[view]",
)  # fmt: skip


def event(name, day, item="s:i1", **fields):
    at = dt.datetime(2012, 10, day, 9, tzinfo=dt.UTC)
    return {"event_id": name, "item_id": item, "occurred_at": at, "slot": 24 * at.weekday() + 9, **fields}


DAYS = {
    FIRST: [event("a", 29, action="buy"), event("b", 29, "s:i2", query="pots"), event("c", 29, user_id="s:u2")],
    SECOND: [event("d", 30), event("e", 30, "s:i2", user_id="s:u3")],
    THIRD: [event("f", 31, action="buy")],
}


@pytest.fixture
def changed(settings_file):
    """Settings of which each of `CHANGES` moves some sum."""
    return load_settings(settings_file, overrides=CHANGES)


def known():
    """What an earlier night counted of the first user and item."""
    of = {"user_id": "s:u1", "item_id": "s:i1", "daypart": "weekday_morning", "region": "", "n": 2, "weight": 6.0}
    return of | {"decayed": 1.0, "hiding": 0, "last_at": MONDAY}


def sums_of(rows):
    """Each user's term sums, which may differ in the last bits."""
    return {row.user_id: (row.terms, pytest.approx(row.long), pytest.approx(row.short)) for row in rows.collect()}


def test_after_a_change_of_settings_sums_are_those_of_one_pass(spark, tmp_path, defaults, changed, caplog):
    before = {"models": [MODEL], "counts": [known()], "term_sums": [SUMS]}
    publish(spark, tmp_path, FIRST, defaults, {"events": DAYS[FIRST], "items": ITEMS, **before})
    night = stage(begin(spark, tmp_path, SECOND, changed), {"events": DAYS[SECOND]}, last="ingest")
    with caplog.at_level(logging.INFO, "chronotope"):
        for name, job in (("interest", interest), ("sessions", sessions)):
            night.begin(name)
            job.run(night)
            night.finish(name, 1.5, FINISHED_AT)
    assert f"counts: settings changed since {FIRST}: all events are counted anew" in caplog.text

    events, items = frame(spark, "events", DAYS[FIRST] + DAYS[SECOND]), frame(spark, "items", ITEMS)
    at_once = counts(events, changed, night.date)
    assert_approx_df_equality(night.rows("counts"), at_once, 1e-9, ignore_nullable=True, ignore_row_order=True)
    sums, terms = night.rows("term_sums"), tokens(items, events, changed)
    assert {row.user_id: row.terms for row in sums.collect()} == {"s:u1": "green pots", "s:u2": "green"}
    assert sums_of(term_sums(events, terms, changed, night.date)) == {row.user_id: (row.terms, row.long, row.short)
                                                                      for row in sums.collect()}  # fmt: skip


def test_sums_go_on_where_events_that_they_hold_are_gone(spark, tmp_path, defaults, changed, caplog):
    publish(spark, tmp_path, LONG_AGO, defaults, {"events": [event("z", 15)], "models": [MODEL], "counts": [known()]})
    for date in (FIRST, SECOND):
        night = publish(spark, tmp_path, date, defaults, {"events": DAYS[date]})
    assert not counts_anew(night, "counts"), "no setting changed"
    with locked(tmp_path, dry_run=False) as folder:
        retain(folder, 1, with_history=True)

    night = stage(begin(spark, tmp_path, THIRD, changed), {"events": DAYS[THIRD]}, last="interest")
    night.begin("sessions")
    sessions.run(night)
    assert f"counts: settings changed, but the events of {LONG_AGO} are gone" in caplog.text
    found = night.rows("counts").select("user_id", "item_id", "daypart", "n", "weight").collect()
    assert sorted(map(tuple, found)) == [
        ("s:u1", "s:i1", "always", 1, 50.0), ("s:u1", "s:i1", "weekday_morning", 2, 6.0),
    ]  # fmt: skip
