"""How an item is described, which rows a night adds, and texts of all kinds."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from pyspark.sql import functions as F

from chronotope.ingest.items import clean, items_of, script_of
from chronotope.ingest.records import catalogue_of
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


def shelf_items(spark, defaults, rows, shelf, tags=(), previous=None):
    """The items rows of a log with a catalogue."""
    of = source(**SHELF)
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
