"""Running stages and publishing over real small tables: lines in the log, costs, alarms."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from chronotope.cli.jobs import log_json, run_stages
from chronotope.errors import AlarmError, DataError
from chronotope.flow import BY_NAME, STAGES
from chronotope.store.journal import LOG
from chronotope.store.snapshot import open_snapshot
from tests.rows import frame
from tests.store.published import begin

NIGHT = "2012-10-31"
DONE = {"at", "night", "stage", "status", "seconds", "rows", "bytes_written", "peak_memory_bytes",
        "config_digest", "code_version"}  # fmt: skip
WATCH = {"model": "night", "protocol": "watch", "slice": "all", "n": 3}
TOO_HIGH = WATCH | {"metric": "list_churn", "value": 0.95, "high": 0.9}
FINE = WATCH | {"metric": "psi_actions", "value": 0.01, "high": 0.25}


def writes(tables):
    """Stages that write the given rows."""

    def stage(name):
        def run(night):
            for table in BY_NAME[name].gives:
                rows = [{"night": night.date, **row} for row in tables.get(table, [])]
                night.write(table, frame(night.spark, table, rows))

        return run

    return {name: stage(name) for name in STAGES}


def lines_of(tables_dir):
    return [json.loads(line) for line in (tables_dir / LOG).read_text(encoding="utf-8").splitlines()]


def test_a_quiet_night_has_a_line_for_each_stage_and_one_for_itself(spark, tmp_path, defaults):
    night = begin(spark, tmp_path, NIGHT, defaults)
    run_stages(night, writes({"events": [{"user_id": "s:u1"}], "evaluations": [FINE]}))
    lines = lines_of(tmp_path)
    assert [line["stage"] for line in lines] == [*STAGES, "night"]
    assert {line["status"] for line in lines} == {"done"}
    assert all(set(line) == DONE for line in lines)
    assert lines[0]["rows"] == {"events": 1, "items": 0, "rejects": 0}
    assert lines[0]["bytes_written"] > 0
    run = open_snapshot(tmp_path).run
    assert (run["bytes_written"], run["peak_memory_bytes"]) == (
        sum(line["bytes_written"] for line in lines[:-1]), max(line["peak_memory_bytes"] for line in lines[:-1])
    )  # fmt: skip
    assert "u1" not in (tmp_path / LOG).read_text(encoding="utf-8")


def test_a_night_above_a_threshold_is_published_and_says_what_to_look_at(spark, tmp_path, defaults, caplog):
    caplog.set_level(logging.INFO, logger="chronotope")
    night = begin(spark, tmp_path, NIGHT, defaults)
    with pytest.raises(AlarmError, match="night 2012-10-31 is published, with an alarm") as caught:
        run_stages(night, writes({"evaluations": [TOO_HIGH, FINE]}))
    assert caught.value.exit_code == 10
    assert str(open_snapshot(tmp_path).night) == NIGHT
    alarm = lines_of(tmp_path)[-1]
    assert {key: alarm[key] for key in ("stage", "status", "metric", "value", "threshold")} == {
        "stage": "night", "status": "alarm", "metric": "list_churn", "value": 0.95, "threshold": 0.9,
    }  # fmt: skip
    assert alarm["message"].startswith("list_churn is 0.95, above 0.9: ")
    assert f"alarm: {alarm['message']}" in caplog.text


def test_a_stage_that_fails_has_the_last_line(spark, tmp_path, defaults):
    def fails(night):
        raise DataError("user 's:u17' of the log is wrong")

    night = begin(spark, tmp_path, NIGHT, defaults)
    with pytest.raises(DataError):
        run_stages(night, writes({}) | {"interest": fails})
    done, failed = lines_of(tmp_path)
    assert (done["stage"], failed["stage"], failed["status"]) == ("ingest", "interest", "failed")
    assert (failed["error"], failed["message"]) == ("DataError", "user '...' of the log is wrong")


def test_json_can_be_asked_for_on_standard_output(spark, tmp_path, defaults, monkeypatch, capsys):
    handler = logging.StreamHandler(stream=sys.stdout)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    log_json()
    logging.getLogger("chronotope").setLevel(logging.INFO)
    run_stages(begin(spark, tmp_path, NIGHT, defaults), dict(list(writes({}).items())[:1]))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines_of(tmp_path)[0] in lines
    assert {"at", "level", "message"} in [set(line) for line in lines]
