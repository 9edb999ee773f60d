"""Events whose input is grouped: one event per order, of a log of lines."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from chronotope.ingest.records import catalogue_of, records_of
from chronotope.ingest.rules import judge
from chronotope.store.inputs import check_inputs, read_inputs
from tests.ingest.logs import NIGHT, night, source

EVE = NIGHT - dt.timedelta(1)
GROUPED = {
    "schema": "ord STRING, user STRING, item STRING, at STRING",
    "group_by": ["ord"],
    "columns": {"user": "min(user)", "items": "sort_array(collect_list(item))", "at": "max(at)"},
}
EVENTS = {
    "from": "log", "key": ["ord"], "identical": "same",
    "columns": {
        "user_id": "user", "item_id": "items[0]", "action": "'buy'", "occurred_at": "at", "utc_offset_min": "0",
    },
}  # fmt: skip
CSV = "{ord},{user},{item},{at}".format
LINES = {"csv": CSV, "json": lambda **values: json.dumps(values)}
BROKEN = {"csv": "o9,u1", "json": '{"ord":"o9","user":"u1"} {}'}


@pytest.fixture
def judged(spark, tmp_path, defaults):
    """The judged rows of a log of so many days, given as lines by day."""

    def judged_of(kind, days):
        for day, lines in days.items():
            (tmp_path / f"{day}.{kind}").write_text("\n".join(lines), encoding="utf-8")
        of = source(inputs={"log": GROUPED | {"path": f"{{day}}.{kind}", "format": kind}}, events=EVENTS, items=None)
        inputs = read_inputs(spark, of, check_inputs(of, tmp_path, NIGHT, None))
        return judge(records_of(inputs, of), of, defaults.ingest, night()).collect()

    return judged_of


def line(kind, order="o1", item="i1", at="2012-10-31T10:00:00Z"):
    return LINES[kind](ord=order, user="u1", item=item, at=at)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_lines_of_an_order_are_one_event(judged, kind):
    (row,) = judged(kind, {NIGHT: [line(kind), line(kind, item="i0")]})
    assert (row.outcome, row.item_id, row.arrival_day) == ("accepted", "s:i0", NIGHT)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_the_rules_on_arrival_apply(judged, kind):
    early, late = "2012-10-31T10:00:00Z", "2012-10-27T23:59:59Z"
    rows = judged(kind, {EVE: [line(kind, at=early)], NIGHT: [line(kind), line(kind, "o2", at=late)]})
    assert {(row.arrival_day, *row.reasons) for row in rows} == {(EVE, "after_night"), (NIGHT,), (NIGHT, "too_late")}


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_broken_lines_stay_apart_with_their_text(judged, kind):
    """Spark does not count the fields of a CSV line of which it is asked for some only."""
    rows = judged(kind, {NIGHT: [line(kind, "o9"), BROKEN[kind], BROKEN[kind]]})
    assert sorted((row.outcome, *row.reasons) for row in rows) == [("accepted",)] + [("refused", "malformed")] * 2
    texts = [json.loads(row.record)["_corrupt_record"] for row in rows if row.outcome == "refused"]
    assert texts == [BROKEN[kind]] * 2


def test_a_catalogue_that_is_joined_has_one_row_per_group_of_all_days(spark):
    of = source(
        inputs={
            "log": {"path": "log.json", "format": "json", "schema": "n STRING"},
            "shelf": {"path": "shelf-{day}.parquet", "format": "parquet"},
            "tags": {
                "path": "tags-{day}.parquet", "format": "parquet",
                "group_by": ["item"], "columns": {"tags": "concat_ws(' ', sort_array(collect_list(tag)))"},
            },
        },
        items={
            "from": "shelf", "join": [{"input": "tags", "using": ["item"]}],
            "columns": {"item_id": "item", "text": "tags"},
        },
    )  # fmt: skip
    frames = {
        "shelf": spark.createDataFrame([("i1", NIGHT)], "item string, _arrival_day date"),
        "tags": spark.createDataFrame(
            [("i1", "b", NIGHT), ("i1", "a", EVE)], "item string, tag string, _arrival_day date"
        ),
    }
    (row,) = catalogue_of(frames, of).collect()
    assert (row.item.text, row.arrival_day) == ("a b", NIGHT)
