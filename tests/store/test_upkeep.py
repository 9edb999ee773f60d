"""What the commands of upkeep share: they begin with what was left half-done, and only where all is as published."""

from __future__ import annotations

import json
import shutil

import pytest
from deltalake import DeltaTable

from chronotope.errors import StoreError
from chronotope.flow import STAGES
from chronotope.store import delta
from chronotope.store.compact import compact
from chronotope.store.journal import LOG
from chronotope.store.manifest import write_json
from chronotope.store.plan import Plan
from chronotope.store.publish import PLAN, plan_of
from chronotope.store.rollback import rollback
from chronotope.store.upkeep import locked
from chronotope.tables import TABLES
from tests.store import kept
from tests.store.published import begin, day


@pytest.fixture
def in_delta(kept_folders, defaults, copied):
    return copied(kept_folders(defaults))


def test_a_newest_version_that_no_night_published_is_not_made_everybodys(in_delta):
    delta.replace_night(TABLES["events"], in_delta / "events", day(kept.NIGHTS[-1]), "other", [])
    with (
        pytest.raises(StoreError, match="table events: the newest version is not the one that night 2012-10-31"),
        locked(in_delta, dry_run=False) as folder,
    ):
        compact(folder, 2**20)
    with locked(in_delta, dry_run=False) as folder:  # nights before it are as they were published
        assert rollback(folder, day(kept.NIGHTS[0]))


def test_a_system_that_refuses_is_a_store_error_and_changes_nothing(in_delta):
    (in_delta / PLAN).with_suffix(".json.tmp").mkdir()  # where the plan is written first
    before = kept.seen(in_delta)
    with (
        pytest.raises(StoreError, match=r"publishing.json.tmp.*every published night is whole"),
        locked(in_delta, dry_run=False) as folder,
    ):
        compact(folder, 2**20)
    assert kept.seen(in_delta) == before


def test_a_plan_that_cannot_be_carried_out_is_named_when_a_night_begins(spark, in_delta, defaults):
    assert kept.killed_after(in_delta, 0, "compact")
    shutil.rmtree(in_delta / "events" / "_delta_log")
    with pytest.raises(StoreError, match="`chronotope compact` was not finished, and cannot be now"):
        begin(spark, in_delta, kept.KILLED, defaults)


def test_a_night_that_a_command_finishes_publishing_has_its_line_in_the_log(spark, in_delta, defaults):
    night = begin(spark, in_delta, kept.KILLED, defaults)
    kept.stage(night, {"evaluations": kept.tables_of(kept.KILLED)["evaluations"]}, first=STAGES[-1])
    write_json(in_delta / PLAN, plan_of(night))
    for _ in range(2):  # the second finds nothing to finish, and says nothing
        with locked(in_delta, dry_run=False) as folder:
            assert folder.nights[-1] == day(kept.KILLED)
        [line] = (in_delta / LOG).read_text(encoding="utf-8").splitlines()
        told = json.loads(line)
        assert (told["night"], told["stage"], told["status"]) == (kept.KILLED, "night", "done")


def test_after_forgetting_only_the_newest_version_is_left_and_it_takes_more_nights(spark, in_delta, defaults):
    with locked(in_delta, dry_run=False) as folder:
        folder.carry_out(Plan("forget", folder.attempt, trim=("events",)))
    newest = DeltaTable(in_delta / "events").version()
    assert newest > 0
    with pytest.raises(StoreError, match="cannot read version"):
        delta.paths_at(in_delta / "events", newest - 1)
    kept.publish_killed(spark, in_delta, defaults)
    assert DeltaTable(in_delta / "events").version() == newest + 1
