"""Stage sessions as nights run it: which sessions it goes on with, and which it closes."""

from __future__ import annotations

import pytest

import sessions
from chronotope.config import load_settings
from tests.sessions.logs import event
from tests.store.published import FINISHED_AT, begin, stage

FIRST, LAST = "2012-10-01", "2012-10-09"
MODEL = {"model_id": "m", "chosen": True, "decision": "better", "path": "_models/m"}
CAFE, SHOP = "cafe:u", "shop:u"


@pytest.fixture
def run_night(spark, tmp_path, defaults):
    """Run stage sessions over a night's events, and publish the night; its rows by user."""

    def run(date, sources, events, settings=defaults):
        night = begin(spark, tmp_path, date, settings)
        night.made_from = {"sources": sources}
        stage(night, {"events": events}, last="interest")
        night.begin("sessions")
        sessions.run(night)
        night.finish("sessions", 1.5, FINISHED_AT)
        stage(night, {"models": [MODEL]} if date == FIRST else {}, first="embed").publish()
        rows = [row.asDict(recursive=True) for row in night.rows("sessions").collect()]
        return {(row["user_id"], row["closed"], tuple(step["event_id"] for step in row["steps"])) for row in rows}

    return run


def test_a_source_that_was_left_out_for_long_goes_on_with_its_open_sessions(run_night):
    first = [event("a", 23.5, CAFE), event("b", 23.5, SHOP), event("d", 23.9, SHOP)]
    assert run_night(FIRST, "cafe shop", first) == {(CAFE, False, ("a",)), (SHOP, False, ("b", "d"))}
    assert run_night("2012-10-05", "cafe", []) == {(CAFE, True, ("a",))}
    assert run_night("2012-10-08", "cafe", [event("e", 170, CAFE)]) == {(CAFE, False, ("e",))}
    # Two days of the shop's at once: a late event of its first day, and the step after that day's midnight.
    late = [event("c", 23.7, SHOP), event("f", 24.1, SHOP), event("g", 175, SHOP)]
    assert run_night(LAST, "cafe shop", late) == {(SHOP, True, ("b", "c", "d", "f")), (SHOP, False, ("g",))}


def test_settings_that_look_less_far_back_close_what_others_left_open(run_night, settings_file):
    short = load_settings(settings_file, overrides=["night.late_days=1"])
    long = load_settings(settings_file, overrides=["night.late_days=10"])
    assert run_night(FIRST, "shop", [event("b", 10, SHOP)], long) == {(SHOP, False, ("b",))}
    assert run_night(LAST, "shop", [], short) == {(SHOP, True, ("b",))}
