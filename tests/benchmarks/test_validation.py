"""What is timed with rules is stage ingest's, and without them every record becomes an event."""

from __future__ import annotations

import json

from benchmarks.validation import LAST_DAY, Log
from chronotope.ingest.records import records_of
from chronotope.ingest.source import load_source
from chronotope.ingest.span import Span
from chronotope.store.inputs import check_inputs, read_inputs
from tests.conftest import ROOT

GOOD = {"event_id": "1", "user": "u", "item": "i", "action": "view", "ts": "2026-02-23T08:00:00+01:00", "city": "Paris"}
LINES = [GOOD, GOOD, {**GOOD, "event_id": "2", "action": "sing"}, {**GOOD, "event_id": "3"}]


def test_with_rules_and_without(spark, defaults, tmp_path):
    day = tmp_path / "world" / "events" / f"day={LAST_DAY}"
    day.mkdir(parents=True)
    (day / "part-0.json").write_text("".join(json.dumps(line) + "\n" for line in LINES), encoding="utf-8")
    (tmp_path / "world" / "items").mkdir()
    (tmp_path / "world" / "items" / "items.csv").write_text("item\ni\n", encoding="utf-8")
    source = load_source(ROOT / "conf" / "sources" / "demo.yaml")
    inputs = read_inputs(spark, source, check_inputs(source, tmp_path / "world", LAST_DAY, None))
    log = Log(spark, tmp_path, source, defaults, Span(LAST_DAY, None, "UTC", 3))

    assert log.keep_records(records_of(inputs, source)) == 4
    log.plain(records_of(inputs, source))
    log.rules(log.records())

    written = {name: spark.read.parquet(str(tmp_path / name)) for name in ("plain", "events", "rejects")}
    assert {name: frame.count() for name, frame in written.items()} == {"plain": 4, "events": 2, "rejects": 2}
    assert written["plain"].columns == written["events"].columns
    assert sorted(row["reasons"][0] for row in written["rejects"].collect()) == ["duplicate", "unknown_action"]
