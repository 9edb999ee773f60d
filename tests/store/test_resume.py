"""Which stages of a night that was cut off still stand."""

from __future__ import annotations

import os
import shutil
import zipfile
from dataclasses import replace

import pytest

from chronotope.errors import UsageError
from chronotope.flow import STAGES
from chronotope.ingest.source import load_source
from chronotope.store import resume
from chronotope.store.inputs import check_inputs
from chronotope.store.manifest import write_json
from chronotope.store.publish import PLAN, plan_of
from chronotope.store.resume import IN_COMMON, made_from, rest_from, rest_of
from chronotope.store.upkeep import locked
from chronotope.store.vacuum import vacuum
from tests.conftest import ROOT
from tests.store.published import begin, day, publish, stage

JOBS = ROOT / "jobs"
FIRST, SECOND = "2012-10-30", "2012-10-31"
TABLES = {"events": [{"event_id": "a"}], "sessions": [{"session_key": "x"}]}


@pytest.fixture
def log(tmp_path):
    """The log of the demo's source, one event of one day."""
    folder = tmp_path / "log"
    day_folder = folder / "events" / f"day={FIRST}"
    day_folder.mkdir(parents=True)
    (day_folder / "part-0.json").write_text("{}\n", encoding="utf-8")
    (folder / "items").mkdir()
    (folder / "items" / "items.csv").write_text("item\n", encoding="utf-8")
    return folder


def opened(spark, tmp_path, log, settings, date=FIRST):
    """A night as a job opens it."""
    night = begin(spark, tmp_path / "tables", date, settings)
    source = load_source(ROOT / "conf" / "sources" / "demo.yaml")
    night.sources = ((source, check_inputs(source, log, day(FIRST), None)),)
    night.made_from = made_from(night, JOBS)
    return night


@pytest.fixture
def cut_off(spark, tmp_path, log, defaults):
    """A night of which three stages finished, opened again by another process."""
    stage(opened(spark, tmp_path, log, defaults), TABLES, last="sessions")
    return opened(spark, tmp_path, log, defaults)


def test_a_night_that_was_cut_off_goes_on_from_the_first_unfinished_stage(cut_off):
    rest = rest_of(cut_off)
    assert rest.stages == STAGES[3:]
    assert rest.why == "goes on from embed: embed had not finished"


def test_a_new_night_starts(spark, tmp_path, log, defaults):
    assert rest_of(opened(spark, tmp_path, log, defaults)).why == "starts"


def test_stages_made_from_something_else_do_not_stand(cut_off):
    now = cut_off.made_from
    assert list(now) == [
        *("settings", "code", "night before", "publication before", "kind of night"),
        *("nights rebuilt", "sources", "inputs"),
    ]  # fmt: skip
    for name in now:
        cut_off.made_from = {**now, name: "something else"}
        rest = rest_of(cut_off)
        assert rest.stages == STAGES
        assert rest.why == f"starts anew: ingest was made from other {name}"


def test_an_input_of_another_time_or_size_and_a_new_one_are_other_inputs(spark, tmp_path, log, defaults):
    def inputs():
        return opened(spark, tmp_path, log, defaults).made_from["inputs"]

    part = log / "events" / f"day={FIRST}" / "part-0.json"
    seen = [inputs()]
    os.utime(part, ns=(0, 0))
    seen.append(inputs())
    part.write_text("{}\n{}\n", encoding="utf-8")
    os.utime(part, ns=(0, 0))
    seen.append(inputs())
    shutil.copy(part, part.with_name("part-1.json"))
    seen.append(inputs())
    assert len(set(seen)) == 4
    part.with_name("part-1.json").unlink()
    assert inputs() == seen[2]


def test_a_stage_whose_file_is_gone_or_cut_does_not_stand(cut_off):
    [file] = cut_off.staged()["sessions"].files
    [path] = (cut_off.tables_dir / "sessions").rglob(file.path.rsplit("/", 1)[1])
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    assert rest_of(cut_off).stages == STAGES[2:]
    path.unlink()
    assert "sessions has lost" in rest_of(cut_off).why


def test_a_night_without_its_model_trains_again(spark, tmp_path, log, defaults):
    chosen = {"model_id": "m", "chosen": True, "decision": "first", "path": "_models/m"}
    models = {**TABLES, "models": [chosen]}
    night = stage(opened(spark, tmp_path, log, defaults), models, last="train")
    assert rest_of(night).stages == STAGES[4:]
    night.model_folder.mkdir(parents=True)
    (night.model_folder / "model.json").write_text("{}", encoding="utf-8")
    assert rest_of(night).stages == STAGES[5:]


def test_what_is_no_manifest_finishes_no_stage(cut_off):
    (cut_off.folder / "interest.json").write_text('{"stage": "inter', encoding="utf-8")
    assert rest_of(cut_off).stages == STAGES[1:]


def test_stages_made_with_other_settings_by_hand_are_made_again(spark, tmp_path, log, defaults):
    stage(opened(spark, tmp_path, log, defaults), TABLES, last="sessions")
    changed = replace(opened(spark, tmp_path, log, defaults), sources=())
    changed.made_from = {**made_from(changed, JOBS), "settings": "tried out"}
    stage(changed, TABLES, first="sessions", last="train")
    rest = rest_of(opened(spark, tmp_path, log, defaults))
    assert rest.why == "goes on from sessions: sessions was made from other settings"


def test_a_night_begins_at_a_stage_that_is_asked_for(cut_off):
    rest = rest_from(replace(cut_off, sources=()), "interest", ["demo"])
    assert (rest.stages, rest.why) == (STAGES[1:], "begins at interest")


def test_other_settings_may_be_tried_from_some_stage_on(cut_off):
    cut_off.made_from = {**cut_off.made_from, "settings": "tried out", "code": "edited", "inputs": "touched"}
    assert rest_from(cut_off, "recommend", ["demo"]).stages == STAGES[6:]


@pytest.mark.parametrize("name", [name for name in IN_COMMON if name != "sources"])
def test_no_night_begins_over_stages_that_were_made_for_another(cut_off, name):
    cut_off.made_from = {**cut_off.made_from, name: "something else"}
    with pytest.raises(UsageError, match=f"cannot begin at train: its ingest was made from other {name} .*begin at"):
        rest_from(cut_off, "train", ["demo"])
    assert rest_from(cut_off, "ingest", ["demo"]).stages == STAGES


def test_no_night_begins_without_one_of_its_sources(cut_off):
    with pytest.raises(UsageError, match="its ingest was made from other sources"):
        rest_from(cut_off, "train", ["demo", "shop"])


def test_settings_that_make_a_night_a_refresh_do_not_begin_in_its_middle(spark, tmp_path, log, defaults):
    """Its events' users are all that the stages before have, and a refresh holds everybody's rows."""
    chosen = {"model_id": "m", "chosen": True, "decision": "first", "path": "_models/m"}
    publish(spark, tmp_path / "tables", FIRST, defaults, {**TABLES, "models": [chosen]})
    stage(opened(spark, tmp_path, log, defaults, SECOND), TABLES, last="embed")
    other = defaults.model_copy(update={"train": defaults.train.model_copy(update={"epochs": 9})})
    night = opened(spark, tmp_path, log, other, SECOND)
    assert night.is_refresh
    with pytest.raises(UsageError, match="other kind of night"):
        rest_from(night, "train", ["demo"])
    night = opened(spark, tmp_path, log, defaults, SECOND)
    assert rest_from(night, "train", ["demo"]).stages == STAGES[4:]
    with locked(tmp_path / "tables", dry_run=False) as folder:
        vacuum(folder)
    night = opened(spark, tmp_path, log, defaults, SECOND)
    assert rest_from(night, "train", ["demo"]).stages == STAGES[4:], "upkeep changes no row"


def test_a_process_without_inputs_takes_them_as_ingest_had_them(cut_off):
    assert cut_off.made_from["sources"] == "demo"
    assert made_from(replace(cut_off, sources=()), JOBS) == cut_off.made_from


def test_a_night_that_is_published_starts_anew(spark, tmp_path, log, in_format):
    stage(opened(spark, tmp_path, log, in_format), TABLES).publish()
    rest = rest_of(opened(spark, tmp_path, log, in_format))
    assert (rest.stages, rest.why) == (STAGES, "starts anew, for it is published already")


def test_a_published_night_that_was_cut_off_while_it_ran_again_goes_on(spark, tmp_path, log, in_format):
    stage(opened(spark, tmp_path, log, in_format), TABLES).publish()
    stage(opened(spark, tmp_path, log, in_format), TABLES, last="interest")
    assert rest_of(opened(spark, tmp_path, log, in_format)).stages == STAGES[2:]


def test_a_night_cut_off_before_its_plan_only_publishes(spark, tmp_path, log, defaults):
    stage(opened(spark, tmp_path, log, defaults), TABLES)
    rest = rest_of(opened(spark, tmp_path, log, defaults))
    assert (rest.stages, rest.published) == ((), False)


def test_a_night_cut_off_while_it_was_published_is_done_when_its_plan_is(spark, tmp_path, log, in_format):
    night = stage(opened(spark, tmp_path, log, in_format), TABLES)
    write_json(night.tables_dir / PLAN, plan_of(night))
    again = opened(spark, tmp_path, log, in_format)
    assert (rest_of(again).stages, rest_of(again).published) == ((), True)
    again.made_from = {**again.made_from, "inputs": "delivered again"}
    assert rest_of(again).stages == STAGES


def test_the_night_before_and_its_versions_count(spark, tmp_path, log, defaults):
    def before():
        return opened(spark, tmp_path, log, defaults, SECOND).made_from["night before"]

    tables, seen = tmp_path / "tables", [before()]
    for _ in range(2):
        publish(spark, tables, FIRST, defaults, TABLES)
        seen.append(before())
    assert len(set(seen)) == 3


def test_the_code_has_one_digest_in_a_folder_and_in_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        for path in (ROOT / "lib" / "chronotope").rglob("*"):
            archive.write(path, path.relative_to(ROOT / "lib"))
    zipped = resume.texts_of(zipfile.Path(tmp_path / "code.zip", "chronotope/"))
    assert sorted(zipped) == sorted(resume.texts_of(ROOT / "lib" / "chronotope"))
    assert len(resume.code_digest(JOBS)) == 12


def test_a_job_that_was_changed_is_other_code(tmp_path):
    shutil.copytree(JOBS, tmp_path / "jobs")
    before = resume.code_digest(tmp_path / "jobs")
    assert before == resume.code_digest(JOBS)
    with (tmp_path / "jobs" / "interest.py").open("a", encoding="utf-8") as job:
        job.write("# changed\n")
    assert resume.code_digest(tmp_path / "jobs") != before
