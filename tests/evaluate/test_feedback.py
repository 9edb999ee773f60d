from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
from chispa import assert_df_equality

from chronotope.config import load_settings
from chronotope.evaluate.feedback import feedback, has_dayparts
from chronotope.slots import daypart_names
from chronotope.store.models import StoredModel
from tests.rows import frame
from tests.train import small

SHOWN, NIGHT = dt.date(2012, 10, 30), dt.date(2012, 10, 31)  # the 31st was a Wednesday
MIDNIGHT = dt.datetime(2012, 10, 31, tzinfo=dt.UTC)
MORNING = 2 * 24 + 8


def shown(spark, *lists):
    rows = [
        {"user_id": user, "daypart": daypart, "region": region, "rank": rank, "item_id": item, "night": SHOWN}
        for user, daypart, region, items in lists
        for rank, item in enumerate(items, 1)
    ]
    return frame(spark, "recommendations", rows[::-1])


def events(spark, *rows):
    made = []
    for n, (user, item, hour, more) in enumerate(rows):
        at = MIDNIGHT + dt.timedelta(hours=hour)
        row = {
            "event_id": f"e{n}",
            "user_id": user,
            "item_id": item,
            "occurred_at": at,
            "slot": MORNING,
            "night": NIGHT,
        }
        made.append(row | more)
    return frame(spark, "events", made)


def rows_of(made):
    return {(r["user_id"], r["daypart"], r["region"]): (r["shown"], r["followed"], r["ranks"]) for r in made.collect()}


def met(spark, defaults, recommendations, since):
    return feedback(recommendations, since, "m", SHOWN, NIGHT, defaults)


def test_lists_meet_what_followed(spark, defaults):
    lists = shown(spark, ("u", "weekday_morning", "", ["a", "b", "c"]))
    made = met(spark, defaults, lists, events(spark, ("u", "z", 8.5, {}), ("u", "b", 8, {}), ("u", "b", 9, {})))
    expected = frame(spark, "feedback", [{
        "user_id": "u", "daypart": "weekday_morning", "region": "", "shown_night": SHOWN, "model": "m",
        "shown": ["a", "b", "c"], "followed": ["b", "z"], "ranks": [2, None], "night": NIGHT,
    }])  # fmt: skip
    assert_df_equality(made, expected, ignore_nullable=True, ignore_row_order=True)


def test_whoever_had_no_list_saw_the_one_for_anybody_or_nothing(spark, defaults):
    lists = shown(spark, ("*", "weekday_morning", "", ["p", "q"]), ("u", "weekday_morning", "", ["a"]),
                  ("u", "weekday_evening", "", ["b"]))  # fmt: skip
    since = events(spark, ("u", "q", 8, {}), ("new", "q", 8, {}), ("new", "q", 20, {"slot": 2 * 24 + 20}),
                   ("u", "q", 8, {"region": "north"}))  # fmt: skip
    assert rows_of(met(spark, defaults, lists, since)) == {
        ("u", "weekday_morning", ""): (["a"], ["q"], [None]),
        ("new", "weekday_morning", ""): (["p", "q"], ["q"], [2]),
        ("new", "weekday_evening", ""): ([], ["q"], [None]),
        ("u", "weekday_morning", "north"): ([], ["q"], [None]),
    }


def test_what_happened_before_the_lists_were_published_is_left_out(spark, defaults):
    lists = shown(spark, ("u", "weekday_morning", "", ["a"]))
    since = events(spark, ("u", "a", -0.001, {}), ("v", "a", 0, {}), ("v", None, 1, {"query": "tea"}))
    assert list(rows_of(met(spark, defaults, lists, since))) == [("v", "weekday_morning", "")]


def test_a_day_without_events_gives_no_feedback(spark, defaults):
    lists = shown(spark, ("u", "weekday_morning", "", ["a"]))
    assert met(spark, defaults, lists, events(spark)).count() == 0


def test_lists_are_for_the_dayparts_that_their_model_knew(defaults, settings_file, caplog):
    names = daypart_names(defaults.night.dayparts)
    order = list(defaults.night.dayparts)
    then = StoredModel({}, {}, small.catalogue())
    known = dataclasses.replace(
        then.catalogue, dayparts=order, daypart_of_slot=np.array([order.index(name) for name in names])
    )
    then = dataclasses.replace(then, catalogue=known)
    assert has_dayparts(then, defaults.night)
    assert caplog.text == ""
    renamed = load_settings(settings_file, overrides=["night.dayparts={always: [[0, 6, 0, 24]]}"])
    assert not has_dayparts(then, renamed.night)
    assert not has_dayparts(None, defaults.night)
    assert caplog.text.count("last night's lists are not evaluated") == 2
