"""Ingest, through the shipped source, refuses and takes in exactly what was planted."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict

import pytest
from pyspark.sql import functions as F

from chronotope.config import load_settings
from chronotope.ingest.items import items_of
from chronotope.ingest.outcome import accepted
from chronotope.ingest.records import catalogue_of, records_of
from chronotope.ingest.rules import judge
from chronotope.ingest.source import load_source
from chronotope.ingest.span import Span
from chronotope.ingest.taken import taken_before
from chronotope.store.inputs import check_inputs, read_inputs
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def source():
    return load_source(ROOT / "conf" / "sources" / "demo.yaml")


@pytest.fixture(scope="module")
def settings(source, settings_file):
    return load_settings(settings_file, source.settings)


def night(date, previous=None):
    days = [dt.date.fromisoformat(day) if day else None for day in (date, previous)]
    return Span(*days, time_zone="UTC", late_days=3)


def inputs_of(spark, source, written, span):
    return read_inputs(spark, source, check_inputs(source, written.folder, span.date, span.previous))


def refusals(judged):
    """Refused records per arrival day and reasons."""
    by_day = F.col("arrival_day").cast("string").alias("day")
    found = defaultdict(dict)
    for row in judged.where("outcome = 'refused'").groupBy(by_day, "reasons").count().collect():
        found[row.day][" and ".join(row.reasons)] = row["count"]
    return found


def test_a_backfill_refuses_what_was_planted_and_no_more(spark, written, source, settings):
    days = list(written.planted["records"])
    span = night(days[-1])
    inputs = inputs_of(spark, source, written, span)
    judged = judge(records_of(inputs, source), source, settings.ingest, span).cache()
    found = refusals(judged)
    assert {day: found[day] for day in days} == written.planted["refused"]

    events = accepted(judged, settings.ingest, span).toPandas()
    assert len(events) == written.planted["events"]
    assert set(events["region"]) == set(written.events()["city"])
    assert events["cell"].isna().mean() == pytest.approx(0.05, abs=0.01)
    truth = written.truth("records").query("copy == 1").assign(size=1)
    offsets = truth[truth["reasons"].str.len() == 0].groupby("utc_offset_min")["size"].sum()
    assert events["utc_offset_min"].value_counts().to_dict() == offsets.to_dict()

    items = items_of(catalogue_of(inputs, source), judged, source, settings.ingest, span).toPandas()
    assert len(items) == written.planted["options"]["items"]
    assert items["text"].isna().sum() == 5
    assert set(items["language"]) == {"en", "zh"}
    judged.unpersist()


def test_night_after_night_refuses_the_same(spark, written, source, settings):
    """Ten days at once, then day by day: late copies are known from the nights before."""
    days = list(written.planted["records"])[:13]
    events, found, previous = None, {}, None
    for day in days[9:]:
        span = night(day, previous)
        taken = None if events is None else taken_before(events, source, span)
        records = records_of(inputs_of(spark, source, written, span), source)
        judged = judge(records, source, settings.ingest, span, taken)
        judged = judged.localCheckpoint()
        found |= refusals(judged)
        new = judged.where("outcome = 'accepted'")
        events, previous = new if events is None else events.unionByName(new), day
    assert found == {day: written.planted["refused"][day] for day in days if written.planted["refused"][day]}
    assert events.count() == sum(written.planted["accepted"][day] for day in days)


def test_the_settings_of_the_source_fit_the_world(settings):
    assert settings.sessions.gap_s == 1800
    assert settings.recommend.seen == "keep"
