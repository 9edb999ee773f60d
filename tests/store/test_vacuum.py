"""Vacuum: what nothing names goes, and nothing else."""

from __future__ import annotations

import pytest

from chronotope.store.upkeep import locked
from chronotope.store.vacuum import vacuum
from tests.store import kept
from tests.store.published import publish


def run(tables_dir, keep_nights=None, dry_run=False):
    with locked(tables_dir, dry_run) as folder:
        return vacuum(folder, keep_nights)


def folders(tables_dir, below):
    return sorted(path.name for path in (tables_dir / below).iterdir() if path.is_dir())


def test_only_what_is_published_or_staged_is_left(spark, tables_dir, before, in_format):
    staged = kept.staged_files(tables_dir)
    assert kept.data_files(tables_dir) > kept.published_files(tables_dir) | staged
    effects = run(tables_dir)
    assert kept.data_files(tables_dir) == kept.published_files(tables_dir) | staged
    assert {effect.what for effect in effects} >= {"feedback", "evaluations", "scratch"}  # of the killed last stage
    assert kept.seen(tables_dir) == before
    assert run(tables_dir) == []
    kept.publish_killed(spark, tables_dir, in_format)
    assert len(kept.seen(tables_dir, ["events"])[kept.KILLED, "events"]) == 16


def test_a_dry_run_says_the_same_and_changes_nothing(tables_dir, before):
    content = kept.content(tables_dir)
    effects = run(tables_dir, keep_nights=1, dry_run=True)
    assert kept.content(tables_dir) == content
    assert run(tables_dir, keep_nights=1) == effects
    assert kept.seen(tables_dir) == before


@pytest.mark.parametrize(("keep_nights", "first", "first_model"), [(None, 0, 0), (2, 1, 0), (1, 2, 1)])
def test_models_and_manifests_of_nights_not_kept_go(kept_folders, defaults, copied, keep_nights, first, first_model):
    tables_dir = copied(kept_folders(defaults))
    (tables_dir / "_models" / "space_time-1.partial").mkdir()
    run(tables_dir, keep_nights)
    nights = [*kept.NIGHTS[first_model:], kept.KILLED]  # the first night kept, run again, meets its predecessor's model
    models = [*(f"counts-{night}-0123456789ab" for night in nights), *(f"night={night}" for night in nights)]
    assert folders(tables_dir, "_night") == [*kept.NIGHTS[first:], kept.KILLED]
    assert folders(tables_dir, "_models") == [*models, "space_time-1.partial"]  # no night is in its name


def test_the_model_of_the_refresh_that_a_kept_night_stands_on_stays(spark, tmp_path, defaults):
    model = {"model_id": "m", "chosen": True, "decision": "first", "path": f"_models/night={kept.NIGHTS[0]}"}
    for night in kept.NIGHTS:
        publish(spark, tmp_path, night, defaults, {"models": [model] if night == kept.NIGHTS[0] else []})
        kept.model_of(tmp_path, night)
    run(tmp_path, keep_nights=1)
    assert {f"night={kept.NIGHTS[0]}", f"night={kept.NIGHTS[2]}"} <= set(folders(tmp_path, "_models"))


def test_what_a_killed_training_left_goes(kept_folders, defaults, copied):
    tables_dir = copied(kept_folders(defaults))
    for suffix in ("partial", "old"):
        (tables_dir / "_models" / f"space_time-{kept.KILLED}-0.{suffix}").mkdir()
    run(tables_dir)
    assert not list((tables_dir / "_models").glob("*.partial")) + list((tables_dir / "_models").glob("*.old"))
    assert f"night={kept.KILLED}" in folders(tables_dir, "_models")


def test_files_that_are_no_tables_are_left_alone(tables_dir):
    (tables_dir / "notes.txt").write_text("mine", encoding="utf-8")
    (tables_dir / "events" / "notes.txt").write_text("mine", encoding="utf-8")
    run(tables_dir, keep_nights=1)
    assert (tables_dir / "notes.txt").is_file()
    assert (tables_dir / "events" / "notes.txt").is_file()
