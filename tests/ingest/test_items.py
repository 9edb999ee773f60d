"""How an item is described, which rows a night adds, and texts of all kinds."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import pytest
from pyspark.sql import functions as F

from chronotope.errors import SourceError
from chronotope.ingest.items import clean, items_of, script_of
from chronotope.ingest.outcome import refused
from chronotope.ingest.records import broken_rows, catalogue_of
from chronotope.store.inputs import FoundInputs, read_inputs
from chronotope.tables import TABLES
from tests.ingest.logs import NIGHT, judged, log, night, source
from tests.oracles.ingest import script
from tests.rows import frame

SHELF = {
    "items": {
        "from": "shelf",
        "join": [{"input": "tags", "using": ["item"]}],
        "order": "rank",
        "columns": {"item_id": "item", "title": "title", "text": "concat_ws('. ', title, tags)", "category": "kind"},
    },
    "inputs": {
        "log": {"path": "{day}.json", "format": "json", "schema": "n STRING"},
        "shelf": {"path": "shelf.parquet", "format": "parquet"},
        "tags": {
            "path": "tags.parquet", "format": "parquet", "group_by": ["item"],
            "columns": {"tags": "concat_ws(' ', sort_array(collect_set(tag)))"},
        },
    },
}  # fmt: skip


def shelf_items(spark, defaults, rows, shelf, tags=(), previous=None, of=None):
    """The items rows of a log with a catalogue."""
    of = of or source(**SHELF)
    inputs = {
        "log": log(spark, rows),
        "shelf": spark.createDataFrame(list(shelf), "item string, title string, kind string, rank int"),
        "tags": spark.createDataFrame(list(tags), "item string, tag string"),
    }
    items = items_of(
        catalogue_of(inputs, of), judged(spark, defaults, rows, of), of, defaults.ingest, night(), previous
    )
    assert TABLES["items"].faults(items) == []
    return {row.item_id: row for row in items.collect()}


def event_items(spark, defaults, rows, of=None, **options):
    """The items rows of a log whose events describe them."""
    of = of or source()
    previous = options.pop("previous", None)
    items = items_of(None, judged(spark, defaults, rows, of, **options), of, defaults.ingest, night(), previous)
    return {row.item_id: row for row in items.collect()}


def test_catalogue_describes_by_order_and_tags_join_as_text(spark, defaults):
    shelf = [("i1", "old", "k", 1), ("i1", "new", "k", 2), ("i2", "never sold", "k", 1), (None, "no id", "k", 1)]
    items = shelf_items(spark, defaults, [{}, {"item": "i3"}], shelf, [("i1", "b"), ("i1", "a"), ("i1", "b")])
    assert sorted(items) == ["s:i1", "s:i2", "s:i3"]
    assert items["s:i1"].text == "new. a b"
    assert items["s:i1"].text_digest == hashlib.md5(b"new. a b").hexdigest()
    assert items["s:i1"].first_seen == dt.datetime(2012, 10, 31, 10)
    assert items["s:i2"].first_seen is None
    undescribed = items["s:i3"]
    assert (undescribed.title, undescribed.text, undescribed.text_digest, undescribed.language) == (None,) * 4
    assert undescribed.first_seen is not None


def test_row_with_a_text_goes_before_an_empty_one_and_equal_orders_have_one_answer(spark, defaults):
    shelf = [("b", "k", 1), ("a", "z", 1), (None, "k", 9), (" ", "k", 10)]
    rows = [("i1", *row) for row in shelf] + [("i2", *row) for row in reversed(shelf)]
    items = shelf_items(spark, defaults, [], rows)
    assert items["s:i1"].title == items["s:i2"].title == "b"


def test_newest_accepted_event_describes_its_item(spark, defaults):
    rows = [
        {"name": "older", "at": "2012-10-31T08:00:00Z"},
        {"name": "newer", "at": "2012-10-31T09:00:00Z", "lat": "95", "lon": "0"},
        {"name": "the one", "at": "2012-10-31T08:30:00Z", "lat": "60", "lon": "10"},
        {"name": "from tomorrow", "at": "2012-11-01T00:00:00Z"},
        {"item": None, "query": "tea"},
    ]
    items = event_items(spark, defaults, rows)
    assert list(items) == ["s:i1"]
    item = items["s:i1"]
    assert (item.title, item.text, item.lat, item.lon) == ("the one", "the one", 60.0, 10.0)
    assert item.cell is not None
    assert item.first_seen == dt.datetime(2012, 10, 31, 8)


def test_only_new_and_changed_rows_are_written(spark, defaults):
    seen = dt.datetime(2012, 10, 1, tzinfo=dt.UTC)
    before = [
        {"item_id": f"s:{name}", "title": name, "text": name, "text_digest": hashlib.md5(name.encode()).hexdigest(),
         "first_seen": seen}
        for name in ("same", "renamed", "gone", "never", "earlier")
    ]  # fmt: skip
    before[-1]["first_seen"] = dt.datetime(2012, 10, 31, tzinfo=dt.UTC)
    rows = [{"item": name, "name": name} for name in ("same", "fresh")]
    rows += [{"item": "renamed", "name": "a new name"}, {"item": "gone", "name": None}]
    rows += [{"item": "earlier", "name": "earlier", "at": "2012-10-29T00:00:00Z"}]
    items = event_items(spark, defaults, rows, previous=frame(spark, "items", before))
    assert sorted(items) == ["s:earlier", "s:fresh", "s:renamed"]
    assert items["s:renamed"].first_seen == seen.replace(tzinfo=None)
    assert items["s:earlier"].first_seen == dt.datetime(2012, 10, 29), "a late event moves it back"
    assert items["s:renamed"].night == NIGHT


KINDS = {"item_id": "item", "title": "name", "category": "city", "lat": "lat", "lon": "lon"}


def described_on(day, item, name=None, kind=None, **more):
    """An event of a day, late by `late` hours, that describes its item."""
    at = dt.datetime(2012, 10, day, 10) - dt.timedelta(hours=more.pop("late", 0))
    told = {"item": item, "name": name, "city": kind, "at": f"{at.isoformat()}Z"}
    return told | {"_arrival_day": dt.date(2012, 10, day)} | more


def items_night_by_night(spark, defaults, rows, of):
    """The current items rows after nights that each take in their own day."""
    known = {}
    for day in sorted({row["_arrival_day"] for row in rows}):
        before = frame(spark, "items", [row.asDict() for row in known.values()]) if known else None
        arrived = judged(spark, defaults, [row for row in rows if row["_arrival_day"] == day], of, night=night(day))
        tonight = items_of(None, arrived, of, defaults.ingest, night(day), before).collect()
        known |= {row.item_id: row for row in tonight}
    return known


def test_nights_one_by_one_describe_items_as_one_pass_does(spark, defaults):
    of = source(items={"from": "log", "columns": KINDS})
    place = {"lat": "52", "lon": "13"}
    rows = [
        described_on(29, "kept", "Green tea", "tea"), described_on(30, "kept", None, "tea"), described_on(31, "kept"),
        described_on(29, "renamed", "Tea", "tea"), described_on(30, "renamed", "Best tea"),
        described_on(29, "found", None, "tea"), described_on(30, "found", "Tea"), described_on(31, "found", None, "?"),
        described_on(29, "moved", None, "tea"), described_on(30, "moved", None, "coffee"), described_on(31, "moved"),
        described_on(29, "placed", **place), described_on(30, "placed"), described_on(31, "placed"),
        described_on(29, "nowhere", "Tea"), described_on(30, "nowhere", **place),
        described_on(30, "late", "Tea", "tea"), described_on(31, "late", "Old tea", late=40),
        described_on(29, "shop", "Tea", **place), described_on(30, "shop", "T"),
        described_on(31, "shop", "Teas", **place),
        described_on(29, "stall", "Tea", **place), described_on(30, "stall", "Teas"),
        described_on(29, "empty", "\0"), described_on(30, "empty"),
    ]  # fmt: skip
    nights = items_night_by_night(spark, defaults, rows, of)
    at_once = event_items(spark, defaults, rows, of)
    texts = {name: at_once[f"s:{name}"].text for name in ("kept", "renamed", "found", "late", "empty")}
    assert (at_once["s:shop"].text, at_once["s:shop"].lat) == ("Teas", 52.0)
    assert (at_once["s:stall"].text, at_once["s:stall"].lat) == ("Tea", 52.0)
    assert texts == {"kept": "Green tea", "renamed": "Best tea", "found": "Tea", "late": "Old tea", "empty": None}
    assert (at_once["s:moved"].category, at_once["s:placed"].lat, at_once["s:nowhere"].lat) == ("coffee", 52.0, None)
    assert {name: row.asDict() | {"night": NIGHT} for name, row in nights.items()} == {
        name: row.asDict() for name, row in at_once.items()
    }


def test_whether_an_item_can_be_had_is_what_was_said_last_and_describes_nothing(spark, defaults):
    of = source(items={"from": "log", "columns": {**KINDS, "available": "try_cast(query as boolean)"}})
    rows = [
        described_on(29, "tea", "Tea", query="true"), described_on(30, "tea", None, query="false"),
        described_on(29, "back", "Tea", query="0"), described_on(30, "back", "Tea"),
        described_on(31, "back", None, query="1"),
        described_on(29, "gone", "Tea", query="false"), described_on(30, "gone", "Best tea"),
        described_on(29, "torn", "Tea", query="true"), described_on(29, "torn", "Tea", query="false"),
        described_on(29, "unsaid", "Tea"), described_on(30, "unsaid", "Tea", query="some"),
    ]  # fmt: skip
    nights = items_night_by_night(spark, defaults, rows, of)
    assert {name: (row.text, row.available) for name, row in nights.items()} == {
        "s:tea": ("Tea", False), "s:back": ("Tea", True), "s:gone": ("Best tea", False), "s:torn": ("Tea", True),
        "s:unsaid": ("Tea", None),
    }  # fmt: skip
    at_once = event_items(spark, defaults, rows, of)
    assert {name: row.available for name, row in at_once.items()} == {n: row.available for n, row in nights.items()}


@pytest.mark.parametrize("says", ["query", "1", "cast(lat as double)"])
def test_what_is_no_boolean_does_not_say_whether_an_item_can_be_had(spark, defaults, says):
    of = source(items={"from": "log", "columns": {**KINDS, "available": says}})
    with pytest.raises(
        SourceError, match=r"items.columns.available \(.*\) gives (string|int|double); make it a boolean"
    ):
        event_items(spark, defaults, [{}], of)


def test_a_catalogue_that_is_there_whole_tells_what_can_be_had(spark, defaults):
    columns = {**SHELF["items"]["columns"], "available": "rank > 0"}
    of = source(**SHELF | {"items": SHELF["items"] | {"columns": columns}})
    before = [{"item_id": f"s:{name}", "text": "tea", "available": False} for name in ("back", "unsaid", "i1", "out")]
    shelf = [("back", "tea", "k", 1), ("unsaid", "tea", "k", None), ("sold_out", "tea", "k", 0)]
    items = shelf_items(spark, defaults, [{}], shelf, previous=frame(spark, "items", before), of=of)
    assert {name: row.available for name, row in items.items()} == {
        "s:back": True, "s:unsaid": None, "s:sold_out": False,
    }, "what it leaves out, sold or not, is as it was"  # fmt: skip


def test_a_catalogue_that_is_there_whole_replaces_what_it_said_before(spark, defaults):
    before = [
        {"item_id": f"s:{name}", "title": "tea", "text": "tea", "text_digest": hashlib.md5(b"tea").hexdigest(),
         "category": "k", "first_seen": None}
        for name in ("bare", "silent", "gone")
    ]  # fmt: skip
    shelf = [("bare", None, "k", 1), ("silent", None, None, 1)]
    items = shelf_items(spark, defaults, [], shelf, previous=frame(spark, "items", before))
    assert list(items) == ["s:bare"]
    assert items["s:bare"] == shelf_items(spark, defaults, [], shelf)["s:bare"]


def test_source_without_items_has_their_ids(spark, defaults):
    (item,) = event_items(spark, defaults, [{"name": "unused"}], source(items=None)).values()
    assert (item.item_id, item.title, item.text_digest) == ("s:i1", None, None)


TEXTS = {
    "Latn": "Crème brûlée №5", "Hani": "龙井茶 A级 新茶",
    "Cyrl": "Чёрный чай, tea", "Arab": "شاي بالنعناع", "Hebr": "תה עם נענע!",
}  # fmt: skip


@pytest.mark.parametrize("code", TEXTS)
def test_script_is_that_of_most_letters(spark, code):
    frame = spark.createDataFrame([(TEXTS[code],)], "text string").select(script_of(F.col("text")).alias("script"))
    assert frame.collect() == [(script(TEXTS[code]),)] == [(code,)]


def test_texts_of_all_kinds_come_through(spark, defaults):
    texts = {
        "long": "word " * 200_000 + "end",  # 1 MB
        "emoji": "👩‍👩‍👧 🍵",
        "rtl": "\u200fשלום עולם\u200f",
        "null": "a\0b",
        "quotes": "\"x\", 'y' \\ \t z",
    }
    items = event_items(spark, defaults, [{"item": name, "name": text} for name, text in texts.items()])
    assert {key.removeprefix("s:"): row.text for key, row in items.items()} == texts | {"null": "ab"}
    assert items["s:emoji"].language is None
    assert items["s:rtl"].language == "Hebr"
    assert len(items["s:long"].text) == 1_000_003


def test_clean_leaves_null_where_nothing_is_left(spark):
    frame = spark.createDataFrame([("\0 \0",), ("",), (None,), ("x",)], "t string").select(clean(F.col("t")).alias("t"))
    assert [row.t for row in frame.collect()] == [None, None, None, "x"]


CSV = {"path": "tags.csv", "format": "csv", "schema": "item STRING, tag STRING"}
LOGGED = {"item_id": "item", "title": "name"}


class TestBrokenCatalogue:
    """Rows that cannot be read describe nothing, and are kept as refused."""

    lists = source(
        items={"from": "shelf", "columns": {"item_id": "item", "title": "title"}},
        inputs={
            "log": {"path": "{day}.json", "format": "json", "schema": "n STRING"},
            "shelf": {"path": "shelf.csv", "format": "csv", "options": {"header": True}},
        },
    )
    lines = (
        b"item,title,kind", b"i1,Green tea,k", b"i2,Tea, black,k", b"i3,Caf\xe9,k", b'i4,"Tea, white",k',
        b"i5,Teapot,gr\xfcn", b"i6,T",
    )  # fmt: skip

    def inputs(self, spark, folder):
        path = folder / "shelf.csv"
        path.write_bytes(b"\n".join(self.lines))
        return read_inputs(spark, self.lists, FoundInputs(path.parent, {"log": [], "shelf": [path]}))

    def test_rows_of_other_fields_or_encoding_are_left_out(self, spark, tmp_path):
        rows = catalogue_of(self.inputs(spark, tmp_path), self.lists).collect()
        assert {row.item_id: row.item.title for row in rows} == {"i1": "Green tea", "i4": "Tea, white"}

    def test_they_are_kept_whole_with_their_reasons_and_once(self, spark, tmp_path):
        broken = broken_rows(self.inputs(spark, tmp_path), self.lists)
        rejects = refused(broken, night()).localCheckpoint()
        assert TABLES["rejects"].faults(rejects) == []
        rows = rejects.collect()
        found = {json.loads(row.record)["item"]: row.reasons for row in rows}
        wrong = {item: ["wrong_encoding"] for item in ("i3", "i5")}
        assert found == {"i2": ["malformed"], "i6": ["malformed"]} | wrong
        assert {json.loads(row.record).get("_corrupt_record") for row in rows} == {"i2,Tea, black,k", "i6,T", None}
        assert refused(broken, night(), rejects).collect() == []

    def test_a_row_that_a_record_of_the_log_equals_is_another_reject(self, spark):
        row = [("i1", None, "i1,")]
        inputs = {"shelf": spark.createDataFrame(row, "item string, title string, _corrupt_record string")}
        (reject,) = refused(broken_rows(inputs, self.lists), night()).collect()
        assert reject.record_id == hashlib.md5(f"s\x1fshelf\x1f{reject.record}".encode()).hexdigest()
        assert (reject.source, reject.user_id, reject.copy) == ("s", None, 1)

    def test_rows_that_are_joined_and_grouped_are_asked_too(self, spark):
        of = source(**SHELF | {"inputs": SHELF["inputs"] | {"tags": SHELF["inputs"]["tags"] | CSV}})
        shelf, tags = [("i1", "\ufffd", "k", 1)], [("i1", "a", None), ("i1", "b", "i1,b,c")]
        inputs = {
            "shelf": spark.createDataFrame(shelf, "item string, title string, kind string, rank int"),
            "tags": spark.createDataFrame(tags, "item string, tag string, _corrupt_record string"),
        }
        (row,) = catalogue_of(inputs, of).collect()
        assert row.item.text == "\ufffd. a", "Parquet has no encoding that could be wrong"
        (broken,) = broken_rows(inputs, of).collect()
        assert json.loads(broken.record) == {"item": "i1", "tag": "b", "_corrupt_record": "i1,b,c"}

    def test_records_of_the_log_describe_nothing_either_and_are_judged_as_such(self, spark):
        of = source(**SHELF | {"items": SHELF["items"] | {"from": "log", "order": None, "columns": LOGGED}})
        inputs = {
            "log": log(spark, [{"name": "tea"}, {"name": "pot", "_corrupt_record": "pot"}, {"name": "caf\ufffd"}]),
            "tags": spark.createDataFrame([], "item string, tag string"),
        }
        assert [row.item.title for row in catalogue_of(inputs, of).collect()] == ["tea"]
        assert broken_rows(inputs, of) is None

    def test_where_events_describe_items_there_is_none(self, spark):
        assert broken_rows({"log": log(spark, [{}])}, source()) is None
