"""`chronotope` over really published nights: what it says, and how it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from chronotope.cli.people import main
from tests.cli.conftest import FIRST, SECOND


def lines(text):
    return [line.split() for line in text.splitlines()]


def test_tables_lists_every_table_with_its_rows(ask, ask_json):
    found = {entry["table"]: entry for entry in ask_json("tables")["tables"]}
    assert len(found) == 19
    assert (found["items"]["rows"], found["items"]["rows_last_night"]) == (4, 3)
    assert found["items"]["nights"] == [FIRST, SECOND]
    assert found["items"]["bytes"] > 0
    assert (found["feedback"]["rows"], found["feedback"]["version"], found["feedback"]["nights"]) == (0, None, [])
    assert found["runs"]["rows"] == 18
    code, out, err = ask("tables")
    assert (code, err) == (0, "")
    assert any(line[:3] == ["items", "4", "3"] for line in lines(out))


def test_runs_tells_each_night_with_model_and_decision(ask, ask_json):
    nights = ask_json("runs")["nights"]
    assert [night["night"] for night in nights] == [FIRST, SECOND]
    assert nights[1]["model"] == "space_time-1"
    assert nights[1]["rows"]["recommendations"] == 7
    assert nights[1]["stages"]["train"] == 1.5
    assert nights[1]["seconds"] == 12.0
    assert "better than counts-1 by 0.02" in ask("runs")[1]


def test_an_older_night_is_shown_as_it_was(ask_json):
    found = {entry["table"]: entry for entry in ask_json("--night", FIRST, "tables")["tables"]}
    assert (found["items"]["rows"], found["events"]["rows"]) == (1, 0)
    assert [night["night"] for night in ask_json("runs", "--night", FIRST)["nights"]] == [FIRST]


def test_stages_tell_what_each_cost(ask, ask_json):
    found = ask_json("runs", "--stages")["stages"]
    assert len(found) == 18
    ingest = next(each for each in found if (each["night"], each["stage"]) == (SECOND, "ingest"))
    assert (ingest["seconds"], ingest["rows"], ingest["peak_memory_bytes"]) == (1.5, {"events": 6, "items": 3}, None)
    whole = found[-1]
    assert (whole["stage"], whole["seconds"]) == ("night", 12.0)
    assert whole["bytes_written"] == sum(each["bytes_written"] for each in found[9:17]) > ingest["bytes_written"] > 0
    header, *rows = lines(ask("runs", "--stages")[1])
    assert header == ["night", "stage", "seconds", "written", "peak", "memory", "rows"]
    assert any(row[:3] == [SECOND, "ingest", "1.5"] for row in rows)


def test_alarms_are_listed_with_what_was_watched(ask, ask_json):
    reply = ask_json("alarms")
    (alarm,) = reply["alarms"]
    assert (alarm["night"], alarm["metric"], alarm["value"], alarm["threshold"]) == (SECOND, "list_churn", 0.95, 0.9)
    assert [(row["metric"], row["slice"]) for row in reply["watched"]] == [
        ("newest_event_age_h", "source=a"), ("list_churn", "all"),
    ]  # fmt: skip
    code, out, err = ask("alarms")
    assert (code, err) == (0, "")
    assert out.startswith(f"{SECOND}  list_churn is 0.95, above 0.9: ")
    assert ask("alarms", "--night", FIRST)[1].startswith(f"no alarms up to night {FIRST}\n")


def test_evaluation_puts_the_model_beside_its_yardsticks(ask, ask_json):
    reply = ask_json("evaluation")
    first, second = reply["protocols"]["tail_next"]
    assert (first["model"], first["published"]) == ("space_time-1", True)
    assert (second["model"], second["published"]) == ("popularity", False)
    assert first["metrics"]["mrr"] == {"value": 0.3, "low": 0.29, "high": 0.31, "n": 1200}
    out = ask("evaluation")[1]
    assert "* space_time-1" in out
    assert "0.300 [0.290, 0.310]" in out
    assert "watch" not in reply["protocols"]
    assert "mae" in out  # a protocol without the usual metrics shows its own
    assert "* made the tables of night 2012-10-31: better than counts-1 by 0.02" in out


def test_a_slice_can_be_chosen_and_a_metric_that_was_not_measured_stays_empty(ask, ask_json):
    found = ask_json("evaluation", "--slice", "user_kind=new")["protocols"]["tail_next"]
    assert found[0]["metrics"]["mrr"]["value"] is None
    code, _, err = ask("evaluation", "--slice", "user_kind=old")
    assert code == 2
    assert "measured no slice 'user_kind=old'; there are: all, user_kind=new" in err


def test_options_may_stand_before_or_after_the_command(tables_dir, capsys):
    folder = str(tables_dir)
    for arguments in (["--tables", folder, "--json", "runs"], ["runs", "--json", "--tables", folder]):
        assert main(arguments) == 0
        assert len(json.loads(capsys.readouterr().out)["nights"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tables"], "which tables? Give --tables DIR"),
        (["--tables", "no-such-folder", "tables"], "/no-such-folder: no such folder"),
    ],
)
def test_a_folder_that_is_missing_is_the_callers_mistake(capsys, arguments, message):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["query"], ["tables", "--night", "yesterday"], ["query", "SELECT 1", "--rows", "0"],
     ["show", "u", "--lists", "many"]],
)  # fmt: skip
def test_a_wrong_command_line_ends_with_2_and_usage(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(["--tables", ".", *arguments])
    assert caught.value.code == 2
    assert "usage: chronotope" in capsys.readouterr().err


def test_a_folder_without_a_published_night_ends_with_5(tmp_path, capsys):
    assert main(["--tables", str(tmp_path), "tables"]) == 5
    assert capsys.readouterr().err == f"error: {tmp_path}: no night is published here; run jobs/nightly.py first\n"


def test_a_night_that_was_not_published_ends_with_5(ask):
    code, out, err = ask("tables", "--night", "2013-01-01")
    assert (code, out) == (5, "")
    assert "night 2013-01-01 is not published here; see `chronotope runs`" in err


@pytest.mark.parametrize("lost", ["items", "runs"])
def test_a_lost_file_ends_with_5_and_no_traceback(tables_dir, tmp_path, capsys, lost):
    broken = shutil.copytree(tables_dir, tmp_path / "broken")
    for path in (broken / lost).rglob(f"night={SECOND}/**/*.parquet"):
        path.unlink()
    assert main(["--tables", str(broken), "query", "SELECT title FROM items"]) == 5
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert lost in said.err


def test_the_command_itself_runs_and_a_closed_pipe_is_no_error(tables_dir):
    command = [sys.executable, "-m", "chronotope.cli.people", "--tables", str(tables_dir), "runs"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert lines(done.stdout)[1][:2] == [FIRST, "published"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as piped:
        piped.stdout.close()  # as `| head` does
        assert (piped.stderr.read(), piped.wait()) == (b"", 141)
