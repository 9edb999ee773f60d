"""Every shipped source on a slice of its real log, against counts made without Spark; skipped where it is absent."""

from __future__ import annotations

import datetime as dt
import gzip
from collections import Counter
from types import SimpleNamespace

import pyarrow.compute as pc
import pyarrow.parquet as pq

from chronotope.config import load_settings
from chronotope.ingest.items import items_of
from chronotope.ingest.outcome import accepted, check_tally, refused, tally
from chronotope.ingest.records import catalogue_of, records_of
from chronotope.ingest.rules import judge
from chronotope.ingest.source import load_source
from chronotope.store.inputs import check_inputs, plain_errors, read_inputs
from tests.conftest import ROOT
from tests.ingest.logs import night
from tests.oracles.ingest import local_slot


def taken_in(spark, settings_file, name, folder, date):
    """Stage ingest on a first night, without the store: events, rejects, items and the tally."""
    source = load_source(ROOT / "conf" / "sources" / f"{name}.yaml")
    settings, tonight = load_settings(settings_file, source.settings).ingest, night(date)
    with plain_errors(source):
        inputs = read_inputs(spark, source, check_inputs(source, folder, date, None))
        judged = judge(records_of(inputs, source), source, settings, tonight).localCheckpoint()
        rejects = refused(judged, tonight)
        found = tally(judged, rejects)
        check_tally(found, settings.max_reject_share, tonight, "judged")
        events = accepted(judged, settings, tonight).collect()
        items = items_of(catalogue_of(inputs, source), judged, source, settings, tonight).collect()
    return SimpleNamespace(events=events, tally=found, items={row.item_id: row for row in items})


def test_foursquare_nyc(spark, settings_file, real_data, tmp_path):
    with gzip.open(real_data / "foursquare_nyc" / "checkins_before_2012-12-21.txt.gz") as file:
        lines = [next(file) for _ in range(4000)]
    lines += [*lines[:3], b"1\tvenue\n", lines[0].replace(b"\t40.", b"\t140.")]
    (tmp_path / "checkins.txt.gz").write_bytes(gzip.compress(b"".join(lines)))
    result = taken_in(spark, settings_file, "foursquare_nyc", tmp_path, dt.date(2012, 4, 5))
    fields = [line.decode("latin-1").split("\t") for line in lines[:4000]]
    times = [dt.datetime.strptime(row[7].strip(), "%a %b %d %H:%M:%S %z %Y") for row in fields]
    due = [(row, at) for row, at in zip(fields, times, strict=True) if at < dt.datetime(2012, 4, 6, tzinfo=dt.UTC)]
    assert 0 < len(due) < 4000
    once = list({(row[0], row[1], row[7]): (row, at) for row, at in due}.values())  # the file repeats some lines
    assert (result.tally.accepted, result.tally.later) == (len(once), 4000 - len(due))
    repeats = len(due) - len(once) + 4
    assert result.tally.reasons == {"duplicate": repeats, "malformed": 1, "bad_coordinates": 1}
    new_york = Counter(local_slot(at, "America/New_York") for row, at in once if row[6] == "-240")
    assert Counter(event.slot for event in result.events if event.utc_offset_min == -240) == new_york
    assert {item.title for item in result.items.values()} >= {"Café", "Home (private)"}


def test_online_retail(spark, settings_file, real_data, tmp_path):
    lines = pq.read_table(real_data / "online_retail" / "online_retail.parquet").slice(0, 6000)
    pq.write_table(lines, tmp_path / "online_retail.parquet")
    result = taken_in(spark, settings_file, "online_retail", tmp_path, dt.date(2010, 12, 31))
    sold = lines.filter(pc.is_valid(lines["CustomerID"]))
    assert result.tally.accepted == sold.num_rows
    assert result.tally.reasons == {"missing_user": 6000 - sold.num_rows}
    assert sold.group_by(sold.column_names).aggregate([]).num_rows < sold.num_rows, "lines repeat, and all are kept"
    cancelled = pc.sum(pc.starts_with(sold["InvoiceNo"], "C")).as_py()
    assert Counter(event.action for event in result.events)["cancel"] == cancelled > 0
    first = min(event.occurred_at for event in result.events)
    assert first == dt.datetime(2010, 12, 1, 8, 26), "London is on UTC in winter"
    assert result.items["online_retail:85123A"].title == "WHITE HANGING HEART T-LIGHT HOLDER"
    assert "online_retail:17850" in {event.user_id for event in result.events}


def test_complete_journey(spark, settings_file, real_data, tmp_path):
    folder = real_data / "complete_journey"
    bought = pq.read_table(folder / "transactions_sample.parquet").slice(0, 3000)
    products = pq.read_table(folder / "products.parquet")
    pq.write_table(bought, tmp_path / "transactions_sample.parquet")
    pq.write_table(
        products.filter(pc.is_in(products["product_id"], bought["product_id"])), tmp_path / "products.parquet"
    )
    result = taken_in(spark, settings_file, "complete_journey", tmp_path, dt.date(2018, 1, 1))
    assert (result.tally.accepted, result.tally.refused, result.tally.later) == (3000, 0, 0)
    assert {event.region for event in result.events} == {
        f"store {store}" for store in set(bought["store_id"].to_pylist())
    }
    slots = Counter(
        local_slot(at.replace(tzinfo=dt.UTC), "America/New_York") for at in bought["transaction_timestamp"].to_pylist()
    )
    assert Counter(event.slot for event in result.events) == slots
    assert len(result.items) == len(set(bought["product_id"].to_pylist()))
    described = {f"complete_journey:{product}" for product in products["product_id"].to_pylist()}
    assert all(item.first_seen for item in result.items.values())
    assert all(item.text and item.category for item in result.items.values() if item.item_id in described)


def test_movielens(spark, settings_file, real_data, tmp_path):
    for name in ("movies", "tags"):
        pq.write_table(pq.read_table(real_data / "ml_latest_small" / f"{name}.parquet"), tmp_path / f"{name}.parquet")
    ratings = pq.read_table(real_data / "ml_latest_small" / "ratings.parquet").slice(0, 3000)
    pq.write_table(ratings, tmp_path / "ratings.parquet")
    result = taken_in(spark, settings_file, "movielens", tmp_path, dt.date(2016, 10, 16))
    assert (result.tally.accepted, result.tally.refused) == (3000, 0)
    assert sum(event.value for event in result.events) == pc.sum(ratings["rating"]).as_py()
    story = result.items["movielens:1"]
    assert story.text == "Toy Story (1995). Adventure, Animation, Children, Comedy, Fantasy. pixar"
    assert (story.title, story.category, story.language) == ("Toy Story (1995)", "Adventure", "Latn")
    assert len(result.items) == 9125
