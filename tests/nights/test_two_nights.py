"""What two nights over a world with known faults and interests must have published."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from datetime import date

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from chronotope.cli.jobs import main
from chronotope.errors import LockedError
from chronotope.flow import STAGES
from chronotope.store.journal import LOG
from chronotope.store.models import ARRAYS
from chronotope.store.publish import PLAN
from chronotope.store.snapshot import open_snapshot, snapshots
from chronotope.store.sql import select
from chronotope.tables import TABLES
from tests.conftest import ROOT
from tests.nights.conftest import KEPT_STEPS, LAST, REFRESH
from tests.nights.processes import assert_same_night, is_close, kill_in_commit, published


def rows(nights, sql):
    return select(open_snapshot(nights.tables), sql).rows


def test_every_table_of_the_flow_is_published_for_both_nights(nights):
    assert [snapshot.night for snapshot in snapshots(nights.tables)] == [date(2026, 3, 2), date(2026, 3, 3)]
    assert set(open_snapshot(nights.tables).versions) == set(TABLES) - {"runs"}
    stages = rows(nights, f"SELECT stage FROM runs WHERE night = DATE '{LAST}'")
    assert {row["stage"] for row in stages} == {*STAGES, "night"}


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"runs"}))
def test_keys_are_unique(nights, name):
    key = ", ".join(TABLES[name].key)
    assert rows(nights, f"SELECT {key} FROM {name} GROUP BY {key} HAVING count(*) > 1 LIMIT 1") == []


def test_what_was_planted_as_broken_is_refused_for_the_planted_reasons(nights):
    planted = json.loads((nights.world / "truth" / "planted.json").read_text(encoding="utf-8"))
    refused = Counter(
        {row["reason"]: row["n"] for row in rows(
            nights, "SELECT reason, count(*) AS n FROM (SELECT unnest(reasons) AS reason FROM rejects) GROUP BY reason"
        )}
    )  # fmt: skip
    assert refused == Counter(planted["reasons"])
    assert rows(nights, "SELECT count(*) AS n FROM events") == [{"n": planted["events"]}]


def test_histories_hold_the_newest_steps_of_each_user_and_no_more(nights):
    met = {row["user_id"]: row["n"] for row in rows(
        nights, "SELECT user_id, count(*) AS n FROM events WHERE item_id IS NOT NULL GROUP BY user_id"
    )}  # fmt: skip
    kept = {
        row["user_id"]: row["n"] for row in rows(nights, "SELECT user_id, array_length(item_id) AS n FROM histories")
    }
    assert kept == {user_id: min(n, KEPT_STEPS) for user_id, n in met.items()}
    assert min(met.values()) < KEPT_STEPS < max(met.values())


def test_every_user_and_anybody_has_lists_whose_parts_are_the_score(nights):
    users = {row["user_id"] for row in rows(nights, "SELECT DISTINCT user_id FROM events WHERE item_id IS NOT NULL")}
    lists = rows(nights, "SELECT user_id, rank, score, parts, reason FROM recommendations")
    assert {row["user_id"] for row in lists} == {*users, "*"}
    assert all(row["reason"] for row in lists)
    assert all(abs(sum(dict(row["parts"]).values()) - row["score"]) < 1e-5 for row in lists)


def test_the_published_model_finds_the_planted_interests(nights):
    model = open_snapshot(nights.tables).run["model"]
    found = rows(nights, "SELECT model, value FROM evaluations "
                         f"WHERE night = DATE '{REFRESH}' AND metric = 'mrr' AND slice = 'all' "
                         "AND protocol = 'tail_morning'")  # fmt: skip
    mrr = {row["model"]: row["value"] for row in found}
    assert {"popularity", "user_frequency", "last_item", "markov"} < set(mrr)
    assert mrr[model] > 2 * mrr["popularity"]


def test_last_nights_lists_met_the_day(nights):
    feedback = rows(nights, "SELECT shown_night, shown FROM feedback")
    assert {str(row["shown_night"]) for row in feedback} == {REFRESH}
    assert feedback
    assert all(row["shown"] for row in feedback), "who has no list of their own is shown the one for anybody"


@pytest.mark.slow
def test_a_night_with_alarms_is_published_and_ends_with_10(nights, tmp_path):
    night = nights.elsewhere(tmp_path / "tables")
    shutil.copytree(nights.tables, night.tables)
    options = ("--set", "alarms.max_churn_share=0.0", "--set", "night.log=json")
    ended = night.run(LAST, *options, job="evaluate")
    assert ended.returncode == 10, ended.stdout + ended.stderr
    assert f"night {LAST} is published, with an alarm: see `chronotope alarms`" in ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    alarms = [line for line in lines if line.get("status") == "alarm"]
    assert [alarm["metric"] for alarm in alarms] == ["list_churn"]
    log = (night.tables / "_night" / "log.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in log.splitlines()][-1] == alarms[0]
    assert open_snapshot(night.tables).run["status"] == "published"
    users = {row["user_id"] for row in rows(night, "SELECT DISTINCT user_id FROM events")}
    assert not [user for user in users if user in log + ended.stdout]


@pytest.mark.slow
def test_a_night_killed_while_it_is_published_again_is_finished_and_as_it_was(nights, tmp_path):
    """The same rows come again, and a kill between two commits changes none; `test_kills` has all other places."""
    again = nights.elsewhere(tmp_path / "tables")
    shutil.copytree(nights.tables, again.tables)

    killed = again.start(LAST, "--from", "infer")
    kill_in_commit(killed, again.tables, "feedback")
    assert_same_night(again.tables, nights.tables)

    finished = again.run(LAST)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "was cut off while it was published; that is finished now" in finished.stdout
    log = (again.tables / LOG).read_text(encoding="utf-8").splitlines()
    last = json.loads(log[-1])
    assert (last["night"], last["stage"], last["status"]) == (LAST, "night", "done")
    assert len(log) > len((nights.tables / LOG).read_text(encoding="utf-8").splitlines())
    assert not (again.tables / PLAN).exists()
    assert_same_night(again.tables, nights.tables)


@pytest.mark.slow
def test_nights_in_plain_parquet_have_the_rows_of_those_in_delta(nights, tmp_path):
    plain = nights.elsewhere(tmp_path / "tables", settings=("night.format=parquet",))
    for night, options in ((REFRESH, ()), (LAST, ()), (LAST, ("--from", "infer"))):  # the last one once more
        ended = plain.run(night, *options)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    told = []  # all rows, without what stands for the settings in the names of models
    for snapshot in (open_snapshot(plain.tables), open_snapshot(nights.tables)):
        text = json.dumps(published(snapshot), default=str)
        told.append(json.loads(text.replace(snapshot.run["config_digest"], "")))
    assert is_close(*told)
    lists = pq.read_table(plain.tables / "recommendations")
    assert lists.num_rows == rows(plain, "SELECT count(*) AS n FROM recommendations_history")[0]["n"]


@pytest.mark.slow
def test_a_night_after_an_upgrade_does_without_the_model_that_it_cannot_read(nights, tmp_path):
    night = nights.elsewhere(tmp_path / "tables")
    shutil.copytree(nights.first, night.tables)
    [arrays] = night.tables.glob(f"_models/night={REFRESH}-*/{ARRAYS}")
    kept = load_file(arrays)
    del kept["trending"]
    save_file(kept, arrays)
    ended = night.run(LAST)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"night {LAST} is a refresh, for the model of night {REFRESH} cannot be used" in ended.stdout
    assert "does not stand again" in ended.stdout
    assert "last night's forecasts are not evaluated" in ended.stdout
    protocols = {
        row["protocol"] for row in rows(night, f"SELECT protocol FROM evaluations WHERE night = DATE '{LAST}'")
    }
    assert "forecast" not in protocols
    assert {"published", "tail_morning"} < protocols


@pytest.mark.slow
def test_of_two_first_stages_at_once_one_wins_and_the_other_changes_nothing(nights, tmp_path):
    night = nights.elsewhere(tmp_path / "tables")
    both = [night.start("2026-03-02", job="ingest") for _ in range(2)]
    codes = [process.end() for process in both]
    winner, loser = (both[codes.index(code)] for code in (0, LockedError.exit_code))
    assert f"in use by process {winner.pid}" in loser.complained
    assert "night" not in loser.said
    assert len(list(night.tables.glob("events/night=2026-03-02/*"))) == 1


def test_logs_show_no_user(nights):
    users = {row["user_id"] for row in rows(nights, "SELECT DISTINCT user_id FROM events")}
    output = nights.said.read_text(encoding="utf-8")
    assert "recommend" in output
    assert not [user for user in users if user in output]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "sessions.gap=3"], "gap_s"),
        (["--set", "train.epochs=many"], "train.epochs"),
        (["--date", "2026-01-01"], "2026-01-01"),
        (["--source", "conf/sources/demo.yaml", "--input", "more"], "each log needs a source file with its own name"),
    ],
)
def test_a_mistake_ends_with_2_and_says_what_to_change(nights, options, said, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    job, *arguments = nights.command(LAST, *options)
    monkeypatch.setattr(sys, "argv", [job])
    assert main(dict.fromkeys(STAGES, pytest.fail), arguments) == 2
    assert said in capsys.readouterr().err


def test_a_missing_input_is_found_before_spark_starts(nights, tmp_path):
    nowhere = nights.elsewhere(tmp_path / "tables", tmp_path / "nothing")
    ended = nowhere.run(LAST)
    assert ended.returncode == 2
    assert "there is no folder" in ended.stderr
    assert "SLF4J" not in ended.stderr
