"""What a night reads, writes and publishes, in both formats."""

from __future__ import annotations

import pytest
from pyspark.sql import functions as F

from chronotope.config import load_settings
from chronotope.errors import SchemaError, StoreError, UsageError
from chronotope.store.night import open_night
from chronotope.store.snapshot import open_snapshot, snapshots
from chronotope.store.sql import select
from tests.rows import frame
from tests.store.published import begin, day, publish, stage

FIRST, SECOND, THIRD = "2012-10-29", "2012-10-30", "2012-10-31"


def values(df, *columns):
    return sorted(tuple(row[name] for name in columns) for row in df.select(*columns).collect())


def event(name, user="s:u1"):
    return {"event_id": name, "user_id": user}


def item(name, title):
    return {"item_id": name, "title": title}


def test_a_stage_reads_what_an_earlier_stage_of_its_night_wrote(spark, tmp_path, in_format):
    night = stage(begin(spark, tmp_path, FIRST, in_format), {"events": [event("a"), event("b")]})
    assert values(night.read("events"), "event_id") == [("a",), ("b",)]


def test_nobody_else_sees_a_night_before_it_is_published(spark, tmp_path, defaults):
    stage(begin(spark, tmp_path, FIRST, defaults), {"events": [event("a")]})
    assert snapshots(tmp_path) == []
    assert begin(spark, tmp_path, SECOND, defaults).read("events").count() == 0


def test_a_table_that_nobody_wrote_is_empty_and_has_its_columns(spark, tmp_path, defaults):
    forecasts = begin(spark, tmp_path, FIRST, defaults).read("forecasts")
    assert forecasts.columns[:2] == ["user_id", "daypart"]
    assert forecasts.collect() == []


def test_rows_of_a_stage_that_has_not_run_are_refused_by_name(spark, tmp_path, defaults):
    with pytest.raises(StoreError, match="2012-10-29 has no sessions yet"):
        begin(spark, tmp_path, FIRST, defaults).rows("sessions")


def test_current_all_is_every_night(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, {"events": [event("a")]})
    night = stage(begin(spark, tmp_path, SECOND, in_format), {"events": [event("b")]})
    assert values(night.read("events"), "event_id", "night") == [("a", day(FIRST)), ("b", day(SECOND))]
    assert values(night.rows("events"), "event_id") == [("b",)]
    assert values(night.earlier("events"), "event_id") == [("a",)]


def test_current_latest_per_key_keeps_the_row_of_the_latest_night(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, {"items": [item("i1", "old"), item("i2", "stays")]})
    night = stage(begin(spark, tmp_path, SECOND, in_format), {"items": [item("i1", "new")]})
    assert values(night.read("items"), "item_id", "title") == [("i1", "new"), ("i2", "stays")]


def test_current_latest_night_is_the_last_night_with_rows(spark, tmp_path, in_format):
    term = {"term": "tea", "version": "v1"}
    publish(spark, tmp_path, FIRST, in_format, {"terms": [term, {**term, "term": "jazz"}]})
    publish(spark, tmp_path, SECOND, in_format, {"terms": []})  # no recount that night
    assert values(begin(spark, tmp_path, THIRD, in_format).read("terms"), "term") == [("jazz",), ("tea",)]
    night = stage(begin(spark, tmp_path, THIRD, in_format), {"terms": [{**term, "version": "v3"}]})
    assert values(night.read("terms"), "term", "version") == [("tea", "v3")]
    assert values(night.read_before("terms"), "version") == [("v1",), ("v1",)]


MODEL = {"model_id": "m", "kind": "counts", "chosen": True, "decision": "first", "path": "_models/m"}


def counted(user, item, n):
    return {"user_id": user, "item_id": item, "n": n}


def listed(user, rank, item):
    return {"user_id": user, "rank": rank, "item_id": item}


def test_between_refreshes_a_night_adds_to_the_last_refresh_and_reads_nothing_older(spark, tmp_path, settings_file):
    settings = load_settings(settings_file, overrides=["night.refresh_days=2"])
    sunday, monday, tuesday, wednesday = [f"2012-10-{n}" for n in (28, 29, 30, 31)]
    publish(spark, tmp_path, sunday, settings, {"models": [MODEL], "counts": [counted("u", "a", 1)]})
    renewed = [counted("u", "a", 1), counted("u", "b", 2)]
    publish(spark, tmp_path, monday, settings, {"models": [MODEL], "counts": renewed})
    publish(spark, tmp_path, tuesday, settings, {"counts": [counted("v", "b", 4)]})
    night = begin(spark, tmp_path, wednesday, settings)
    assert (night.is_refresh, night.refreshed_before) == (True, day(monday))
    assert values(night.read("counts"), "user_id", "item_id", "n") == [("u", "a", 1), ("u", "b", 2), ("v", "b", 4)]
    models = [{**MODEL, "model_id": "o", "chosen": False}, {**MODEL, "path": "_models/new"}]
    stage(night, {"models": models, "counts": [counted("u", "c", 9)]})
    assert values(night.read("counts"), "item_id") == [("c",)]
    assert night.model_folder == tmp_path / "_models" / "new"
    assert night.model_folder_before == tmp_path / "_models" / "m"


def test_a_night_with_other_settings_is_a_refresh(spark, tmp_path, settings_file, defaults):
    publish(spark, tmp_path, FIRST, defaults, {"models": [MODEL]})
    other = load_settings(settings_file, overrides=["recommend.k=11"])
    assert [begin(spark, tmp_path, SECOND, settings).is_refresh for settings in (defaults, other)] == [False, True]


def test_a_rebuild_goes_into_a_folder_of_its_own(spark, tmp_path, defaults):
    publish(spark, tmp_path, FIRST, defaults, {"models": [MODEL]})
    with pytest.raises(UsageError, match="a rebuild goes into a folder of its own"):
        open_night(spark, tmp_path, day(FIRST), defaults, open_snapshot(tmp_path))


def test_the_model_of_the_last_refresh_makes_the_tables_until_the_next(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, {"models": [MODEL]})
    publish(spark, tmp_path, SECOND, in_format, {})
    run = open_snapshot(tmp_path).run
    assert (run["model"], run["decision"]) == ("m", f"the model of refresh {FIRST} stands")
    assert begin(spark, tmp_path, THIRD, in_format).model_folder == tmp_path / "_models" / "m"


def test_a_night_that_no_refresh_has_chosen_a_model_for_says_what_to_do(spark, tmp_path, in_format):
    first = begin(spark, tmp_path, FIRST, in_format)
    with pytest.raises(StoreError, match="has no models yet; run the stages before this one first"):
        str(first.model_folder)
    with pytest.raises(StoreError, match="is the first: there is no model before it"):
        str(first.model_folder_before)
    stage(first, {"models": [{**MODEL, "chosen": False}]})
    with pytest.raises(StoreError, match="no model is chosen there; run stage train again"):
        str(first.model_folder)


def test_a_night_that_runs_again_and_is_no_refresh_then_leaves_nothing_of_the_refresh(
    spark, tmp_path, in_format, settings_file
):
    name = in_format.night.format
    other = load_settings(settings_file, overrides=["recommend.k=11", f"night.format={name}"])
    everybody = {"models": [MODEL], "counts": [counted("u", "a", 1), counted("v", "b", 2)]}
    publish(spark, tmp_path, FIRST, in_format, everybody)
    tried = {"models": [{**MODEL, "path": "_models/tried"}], "terms": [{"term": "tea", "version": "v"}]}
    publish(spark, tmp_path, SECOND, other, {**tried, "counts": [counted("u", "x", 9), counted("v", "x", 9)]})
    assert open_snapshot(tmp_path).refreshed_on == day(SECOND)

    publish(spark, tmp_path, SECOND, in_format, {"counts": [counted("u", "c", 3)]})
    again = open_snapshot(tmp_path)
    assert (again.refreshed_on, again.model_folder) == (day(FIRST), tmp_path / "_models" / "m")
    assert again.paths("terms") == {}
    third = begin(spark, tmp_path, THIRD, in_format)
    assert values(third.read("counts"), "user_id", "item_id", "n") == [("u", "a", 1), ("u", "c", 3), ("v", "b", 2)]


def test_each_source_goes_on_from_the_last_night_that_read_it(spark, tmp_path, in_format):
    for date, sources in ((FIRST, "cafe shop"), (SECOND, "cafe")):
        night = begin(spark, tmp_path, date, in_format)
        night.made_from = {"sources": sources}
        stage(night, {}).publish()
    third = begin(spark, tmp_path, THIRD, in_format)
    assert {name: third.last_of(name) for name in ("cafe", "shop", "new")} == {
        "cafe": day(SECOND), "shop": day(FIRST), "new": None,
    }  # fmt: skip
    assert begin(spark, tmp_path, SECOND, in_format).last_of("cafe") == day(FIRST)


def test_nights_that_do_not_say_what_they_read_have_read_all(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, {})
    assert begin(spark, tmp_path, SECOND, in_format).last_of("shop") == day(FIRST)


def test_current_latest_per_user_keeps_the_last_lists_of_each_user(spark, tmp_path, in_format):
    lists = [listed("u", 1, "a"), listed("u", 2, "b"), listed("v", 1, "c")]
    publish(spark, tmp_path, FIRST, in_format, {"models": [MODEL], "recommendations": lists})
    night = stage(begin(spark, tmp_path, SECOND, in_format), {"recommendations": [listed("u", 1, "z")]})
    assert values(night.read("recommendations"), "user_id", "rank", "item_id") == [("u", 1, "z"), ("v", 1, "c")]
    assert values(night.read_before("recommendations"), "item_id") == [("a",), ("b",), ("c",)]
    only_v = spark.createDataFrame([("v",)], "user_id string")
    assert values(night.read("recommendations", only_v), "item_id") == [("c",)]
    night.publish()
    rows = select(open_snapshot(tmp_path), "SELECT user_id, rank, item_id FROM recommendations ORDER BY 1, 2").rows
    assert [tuple(row.values()) for row in rows] == [("u", 1, "z"), ("v", 1, "c")]


def test_running_a_night_again_replaces_its_rows_and_no_others(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, {"events": [event("a")]})
    for name in ("b", "c"):
        publish(spark, tmp_path, SECOND, in_format, {"events": [event(name)]})
    night = begin(spark, tmp_path, THIRD, in_format)
    assert values(night.read("events"), "event_id") == [("a",), ("c",)]
    assert [s.night for s in snapshots(tmp_path)] == [day(FIRST), day(SECOND)]


def test_a_night_that_runs_again_does_not_read_its_own_earlier_rows(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, {"events": [event("a")]})
    publish(spark, tmp_path, SECOND, in_format, {"events": [event("b")]})
    night = begin(spark, tmp_path, SECOND, in_format)
    night.begin("ingest")
    assert values(night.read("events"), "event_id") == [("a",)]


def test_running_a_night_again_without_rows_empties_it(spark, tmp_path, in_format):
    publish(spark, tmp_path, FIRST, in_format, {"events": [event("a")]})
    publish(spark, tmp_path, FIRST, in_format, {"events": []})
    assert open_snapshot(tmp_path).paths("events") == {}


def test_a_night_before_a_published_one_is_refused(spark, tmp_path, defaults):
    publish(spark, tmp_path, SECOND, defaults, {"events": [event("a")]})
    with pytest.raises(UsageError, match="--date 2012-10-29: night 2012-10-30 is published"):
        begin(spark, tmp_path, FIRST, defaults)


def test_beginning_at_a_stage_keeps_what_the_stages_before_it_staged(spark, tmp_path, defaults):
    stage(begin(spark, tmp_path, FIRST, defaults), {"events": [event("a")], "sessions": [{"session_key": "x"}]})
    night = begin(spark, tmp_path, FIRST, defaults)
    night.begin("sessions")
    assert list(night.staged()) == ["events"]
    stage(night, {"sessions": [{"session_key": "y"}]}, first="sessions").publish()
    after = begin(spark, tmp_path, SECOND, defaults)
    assert values(after.read("events"), "event_id") == [("a",)]
    assert values(after.read("sessions"), "session_key") == [("y",)]


def test_a_night_with_a_stage_missing_is_not_published(spark, tmp_path, defaults):
    night = stage(begin(spark, tmp_path, FIRST, defaults), {"events": [event("a")]})
    night.begin("recommend")
    with pytest.raises(StoreError, match="recommend, evaluate have not run"):
        night.publish()
    assert snapshots(tmp_path) == []


def test_a_frame_that_is_not_as_declared_is_not_written(spark, tmp_path, defaults):
    night = begin(spark, tmp_path, FIRST, defaults)
    with pytest.raises(SchemaError, match="column slot is string, declared int"):
        night.write("events", frame(spark, "events", [event("a")]).withColumn("slot", F.lit("Monday")))
    assert night.staged() == {}


def test_the_other_format_is_refused_in_a_folder_that_was_begun(spark, tmp_path, in_format, settings_file):
    begin(spark, tmp_path, FIRST, in_format)
    other = {"delta": "parquet", "parquet": "delta"}[in_format.night.format]
    with pytest.raises(UsageError, match=f"night.format is {other}"):
        begin(spark, tmp_path, FIRST, load_settings(settings_file, overrides=[f"night.format={other}"]))


def test_scratch_frames_are_computed_once_and_gone_after_the_night(spark, tmp_path, defaults):
    night = begin(spark, tmp_path, FIRST, defaults)
    kept = night.scratch("numbers", spark.range(3))
    assert values(kept, "id") == [(0,), (1,), (2,)]
    stage(night, {"events": [event("a")]}).publish()
    assert not (night.folder / "scratch").exists()


def test_the_model_that_the_gate_chose_and_its_reason_are_in_runs(spark, tmp_path, defaults):
    models = [
        {"model_id": "counts-1", "chosen": False, "decision": "worse"},
        {"model_id": "space_time-1", "chosen": True, "decision": "better by 0.02"},
    ]
    publish(spark, tmp_path, FIRST, defaults, {"events": [event("a")], "models": models})
    run = open_snapshot(tmp_path).run
    assert (run["model"], run["decision"]) == ("space_time-1", "better by 0.02")
    assert dict(run["rows"]) == {"events": 1, "models": 2}
    assert run["seconds"] == 8 * 1.5


def test_the_end_of_a_night_is_midnight_on_its_own_clock(spark, tmp_path, settings_file):
    settings = load_settings(settings_file, overrides=["night.time_zone=America/New_York"])
    publish(spark, tmp_path, FIRST, settings, {"events": [event("a")]})
    night = begin(spark, tmp_path, SECOND, settings)
    assert night.end.isoformat() == "2012-10-31T04:00:00+00:00"
    assert night.previous_end.isoformat() == "2012-10-30T04:00:00+00:00"
