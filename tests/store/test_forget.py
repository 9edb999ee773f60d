"""Forgetting a user: no file below the folder names them afterwards, and nobody else loses a row."""

from __future__ import annotations

import json
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chronotope.errors import UsageError
from chronotope.store.forget import forget
from chronotope.store.naming import mentions, rows_naming
from chronotope.store.publish import PLAN
from chronotope.store.upkeep import locked
from tests.store import kept
from tests.store.published import begin, day, stage

WITH_USERS = ("events", "interests", "sessions", "recommendations", "rejects")


def run(tables_dir, user=kept.VICTIM, dry_run=False):
    with locked(tables_dir, dry_run) as folder:
        return forget(folder, user)


def files_naming(tables_dir, text):
    """The files that hold a text: in their bytes, or as Parquet in their values."""
    found = set()
    for path in tables_dir.rglob("*"):
        if path.is_file():
            said = path.read_bytes()
            if path.suffix == ".parquet":
                said += str(pq.ParquetFile(path).read().to_pylist()).encode()
            if text.encode() in said:
                found.add(str(path.relative_to(tables_dir)))
    return found


def seen_of_others(tables_dir):
    return {
        key: [row for row in rows if kept.RAW not in row] for key, rows in kept.seen(tables_dir, WITH_USERS).items()
    }


def test_no_file_names_the_user_afterwards(spark, tables_dir, in_format):
    before, told = seen_of_others(tables_dir), files_naming(tables_dir, kept.RAW)
    assert {path.split("/")[0] for path in told} >= {"events", "rejects", "ranks", "feedback", "term_sums", "_night"}
    assert in_format.night.format == "parquet" or any("_delta_log" in path for path in told)  # as bounds of a column
    effects = run(tables_dir)
    assert files_naming(tables_dir, kept.RAW) == set()
    assert kept.seen(tables_dir, WITH_USERS) == before  # others' rows, for every night
    rows = {effect.what: 0 for effect in effects} | {effect.what: effect.rows for effect in effects if effect.night}
    assert (rows["events"], rows["rejects"], rows["feedback"]) == (1, 1, 1)
    assert run(tables_dir) == []
    assert seen_of_others(tables_dir) == before


def test_what_manifests_tell_of_files_that_are_gone_goes_too(tables_dir):
    manifest = tables_dir / "_night" / kept.KILLED / "ingest.json"
    for path in tables_dir.glob(f"events/**/night={kept.KILLED}/*/*.parquet"):
        path.unlink()
    before = json.loads(manifest.read_text(encoding="utf-8"))["tables"]["events"]["files"]
    assert any(kept.RAW in file["stats"] for file in before)  # as the bound of a column
    run(tables_dir)
    assert files_naming(tables_dir, kept.RAW) == set()
    after = json.loads(manifest.read_text(encoding="utf-8"))["tables"]["events"]["files"]
    assert [(file["path"], file["rows"]) for file in after] == [(file["path"], file["rows"]) for file in before]


def test_the_killed_night_goes_on_without_the_user(spark, tables_dir, in_format):
    run(tables_dir)
    kept.publish_killed(spark, tables_dir, in_format)
    rows = kept.seen(tables_dir, ["events", "rejects"])
    assert len(rows[kept.KILLED, "events"]) == 4 * len(kept.OTHERS)
    assert len(rows[kept.KILLED, "rejects"]) == 4
    new = {path.split("/")[0] for path in files_naming(tables_dir, kept.RAW)}
    assert new == {"feedback", "_night"}  # the stage that ran after the user was forgotten wrote of them again


def test_the_last_night_can_begin_again_at_a_later_stage(spark, tables_dir, in_format):
    run(tables_dir)
    night = begin(spark, tables_dir, kept.NIGHTS[-1], in_format)
    assert sorted(row["user_id"] for row in night.rows("sessions").collect()) == sorted(kept.OTHERS)


def test_a_dry_run_says_the_same_and_changes_nothing(tables_dir):
    before = kept.content(tables_dir)
    effects = run(tables_dir, dry_run=True)
    assert kept.content(tables_dir) == before
    assert [(e.night, e.rows) for e in effects if (e.what, e.done) == ("events", "rewritten")] == [
        (day(night), 1) for night in (*kept.NIGHTS, kept.KILLED)
    ]
    assert run(tables_dir) == effects


def test_a_user_whom_nothing_names_costs_nobody_a_row(tables_dir):
    before = kept.seen(tables_dir, WITH_USERS)
    assert [effect for effect in run(tables_dir, "s:victim") if effect.done == "rewritten"] == []
    assert kept.seen(tables_dir, WITH_USERS) == before


def rejects_in(path, rows):
    """A file of `rejects`: of each row the user_id (None: not known) and the record."""
    users, records = zip(*rows, strict=True)
    table = pa.table({"user_id": pa.array(users, pa.string()), "source": ["s"] * len(rows), "record": records})
    pq.write_table(table, path, row_group_size=2)
    return path


def test_a_reject_is_told_by_its_user_id_and_only_without_one_by_what_it_says(tmp_path):
    rows = [
        ("s:ann@b.org", '{"mail":"Ann@B.org"}'), ("s:bob", '{"mail":"Bob@B.org"}'),
        ("s:bob", '{"friend":"ann@b.org"}'), ("s:cid", "{}"),
        ("s:bob", "{}"), (None, '{"_corrupt_record":"ann@b.org,?"}'),
    ]  # fmt: skip
    found = {user: rows_naming(rejects_in(tmp_path / "a", rows), user) for user in ("s:ann@b.org", "s:bob", "t:bob")}
    assert found == {"s:ann@b.org": 2, "s:bob": 3, "t:bob": 0}


def test_a_file_of_before_the_column_is_told_by_its_records(tmp_path):
    table = pa.table({"source": ["s", "s", "t"], "record": ['{"user":47}', '{"at":"09:47:00"}', '{"user":47}']})
    pq.write_table(table, tmp_path / "a")
    assert rows_naming(tmp_path / "a", "s:47") == 1


@pytest.mark.parametrize(
    ("raw_id", "record"),
    [
        ("josé", r'{"user":"jos\u00e9"}'),
        ("josé", r'{"user":"jos\u00E9","n":1}'),
        ("a/b", r'{"user":"a\/b"}'),
        ("a/b", '{"user":"a/b"}'),
        ("茶🍵", r'{"user":"\u8336\ud83c\udf75"}'),
        ('a"b', r'{"user":"a\"b"}'),
        ("a\\b", r'{"user":"a\\b"}'),
        ("josé", r'{"_corrupt_record":"{\"user\":\"jos\\u00e9"}'),
        ("a/b", r'{"_corrupt_record":"{\"user\":\"a\\/b"}'),
        ("47", r'{"_corrupt_record":"x\t47\ty"}'),
        ("47", '{"user":47}'),
        ("15", '{"user":15,"at":"09:15:00"}'),
    ],
)
def test_an_id_is_found_however_its_letters_are_written(raw_id, record):
    assert mentions(record, raw_id)


@pytest.mark.parametrize(
    ("raw_id", "record"),
    [
        ("15", '{"at":"09:15:00"}'),
        ("09", '{"at":"2012-10-31T09:15:00"}'),
        ("00", '{"at":"09:15:00"}'),
        ("b", r'{"user":"a\u0062"}'),
        ("e9", r'{"user":"jos\u00e9"}'),
        ("jose", r'{"user":"jos\u00e9"}'),
    ],
)
def test_an_id_is_not_found_in_what_is_another_word_or_a_time(raw_id, record):
    assert not mentions(record, raw_id)


@pytest.mark.parametrize("user", ["victim7f3a", "*", ""])
def test_a_name_that_is_no_user_id_is_refused(kept_folders, defaults, user):
    with pytest.raises(UsageError, match="give it as the tables have it, SOURCE:ID"):
        run(kept_folders(defaults), user, dry_run=True)


def test_a_user_of_a_source_that_no_night_has_read_is_refused(spark, tmp_path, defaults):
    night = begin(spark, tmp_path, "2012-10-29", defaults)
    night.made_from = {"sources": "cafe shop"}
    stage(night, {}).publish()
    with pytest.raises(UsageError, match="no night has read a source card: give one of cafe, shop"):
        run(tmp_path, "card:u1")
    assert run(tmp_path, "shop:u1") == []


@pytest.mark.parametrize("steps", [7, 60])
def test_a_killed_one_is_finished_by_the_next_process(spark, tables_dir, in_format, steps):
    before = seen_of_others(tables_dir)
    assert kept.killed_after(tables_dir, steps, "forget", kept.VICTIM)
    assert kept.RAW not in (tables_dir / PLAN).read_text(encoding="utf-8")
    assert seen_of_others(tables_dir) == before  # whole, for every night, before anything is finished
    begin(spark, tables_dir, kept.KILLED, in_format)
    assert not (tables_dir / PLAN).exists()
    assert files_naming(tables_dir, kept.RAW) == set()
    assert kept.seen(tables_dir, WITH_USERS) == before


@pytest.mark.slow
def test_wherever_it_is_killed_it_can_be_finished(kept_folders, in_format, tmp_path):
    steps, whole = 0, kept_folders(in_format)
    before = seen_of_others(whole)
    while True:
        tables_dir = shutil.copytree(whole, tmp_path / str(steps))
        if not kept.killed_after(tables_dir, steps, "forget", kept.VICTIM):
            break
        assert seen_of_others(tables_dir) == before, steps
        assert json.loads((tables_dir / PLAN).read_text(encoding="utf-8"))["upkeep"] == "forget"
        run(tables_dir)
        assert files_naming(tables_dir, kept.RAW) == set(), steps
        assert kept.seen(tables_dir, WITH_USERS) == before, steps
        shutil.rmtree(tables_dir)
        steps += 5
    assert steps > 60
