"""Stage ingest as nights run it, over a log and a catalogue that come whole each night."""

from __future__ import annotations

import datetime as dt
import json

import pytest

import ingest
from chronotope.errors import SourceError
from chronotope.ingest.source import Source
from chronotope.store.inputs import check_inputs
from chronotope.store.retain import retain
from chronotope.store.upkeep import locked
from tests.store.published import FINISHED_AT, begin, stage

SHOP = Source.model_validate(
    {
        "name": "s", "description": "a shop of the tests",
        "inputs": {name: {"path": f"{name}.csv", "format": "csv", "options": {"header": True}}
                   for name in ("orders", "shelf")},
        "events": {
            "from": "orders", "key": ["n"], "identical": "same",
            "columns": {"user_id": "user", "item_id": "item", "action": "'buy'", "occurred_at": "at",
                        "utc_offset_min": "0"},
        },
        "items": {"from": "shelf", "columns": {"item_id": "item", "title": "title"}},
    }
)  # fmt: skip
HISTORY = [f"{n},u{n},i1,2012-10-{n:02}T10:00:00Z" for n in range(1, 10)]
FAULTY, NEW = "10,,i1,2012-10-09T11:00:00Z", "11,u1,i1,2012-11-01T10:00:00Z"
BROKEN = "i2,Tea, black"


@pytest.fixture
def take_in(spark, tmp_path, defaults):
    """Run and publish the night of a date over the lines of the log; its rows of `events` and `rejects`."""

    def night_of(date, *lines, source=SHOP):
        (tmp_path / "orders.csv").write_text("\n".join(["n,user,item,at", *lines]), encoding="utf-8")
        (tmp_path / "shelf.csv").write_text("\n".join(["item,title", "i1,Green tea", BROKEN]), encoding="utf-8")
        night = begin(spark, tmp_path / "tables", date, defaults)
        night.sources = ((source, check_inputs(source, tmp_path, dt.date.fromisoformat(date), night.last_of("s"))),)
        night.begin("ingest")
        ingest.run(night)
        night.finish("ingest", 1.5, FINISHED_AT)
        stage(night, {}, first="interest").publish()
        return night.rows("events").collect(), night.rows("rejects").collect()

    return night_of


def test_nights_go_on_after_the_history_is_dropped(take_in, tmp_path):
    events, rejects = take_in("2012-10-10", *HISTORY, FAULTY)
    assert len(events) == len(HISTORY)
    assert {json.loads(row.record).get("_corrupt_record"): row.reasons for row in rejects} == {
        None: ["missing_user"], BROKEN: ["malformed"],
    }  # fmt: skip
    for date in ("2012-10-30", "2012-10-31"):
        assert take_in(date, *HISTORY, FAULTY) == ([], [])
    with locked(tmp_path / "tables", dry_run=False) as folder:
        retain(folder, 1, with_history=True)
    events, rejects = take_in("2012-11-01", *HISTORY, FAULTY, NEW)
    assert [row.occurred_at for row in events] == [dt.datetime(2012, 11, 1, 10)]
    assert [row.reasons for row in rejects] == [["malformed"]], "the row of the catalogue; no record of the log"


def test_an_expression_of_the_catalogue_that_fails_on_a_row_is_told_as_one(take_in):
    columns = SHOP.items.columns.model_copy(update={"lat": "cast(title as double)"})
    source = SHOP.model_copy(update={"items": SHOP.items.model_copy(update={"columns": columns})})
    with pytest.raises(SourceError, match=r"s: an expression failed on a record.*use the try_ form"):
        take_in("2012-10-10", *HISTORY, source=source)
