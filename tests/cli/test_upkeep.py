"""`chronotope compact`, `vacuum`, `retain`, `forget` and `rollback` on the command line."""

from __future__ import annotations

import json
import shutil

import pytest

from chronotope.cli.people import main
from chronotope.config import load_settings
from chronotope.store.formats import format_of
from chronotope.store.lock import exclusive
from chronotope.store.manifest import write_json
from chronotope.store.publish import PLAN
from tests.cli.conftest import FIRST, SECOND
from tests.store.published import publish

COMMANDS = [("compact",), ("vacuum",), ("retain", "--nights", "1"), ("forget", "a:u1"), ("rollback", FIRST)]


@pytest.fixture
def folder(tables_dir, tmp_path):
    return shutil.copytree(tables_dir, tmp_path / "tables")


@pytest.fixture
def command(folder, capsys):
    """Run a command on a copy of the tables; its exit code, output and complaints."""

    def run(*arguments):
        code = main(["--tables", str(folder), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_each_has_a_dry_run_that_says_what_the_command_then_does(command, arguments):
    said = [json.loads(command(*arguments, *more, "--json")[1]) for more in (["--dry-run"], [], [])]
    dry, done, again = said
    assert (dry["command"], dry["dry_run"], done["dry_run"]) == (arguments[0], True, False)
    assert dry["effects"] == done["effects"]
    assert dry["total"] == done["total"]
    assert again["total"] == {"files": 0, "rows": 0, "bytes": 0}
    assert done["total"]["files"] > 0 or arguments[0] in ("vacuum", "retain")  # these may find nothing here


def test_people_see_a_line_per_table_and_a_total(command):
    code, out, err = command("forget", "a:u1", "--dry-run")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "forget: nothing is changed, this is what would be done"
    assert lines[1].split() == ["what", "nights", "files", "rows", "size", "done"]
    cells = {line.split()[0]: line.split() for line in lines[2:]}
    assert cells["events"][1] == SECOND
    assert cells["events"][3] == "3"
    assert cells["events"][-1] == "rewritten"
    assert "rows" in lines[-1]
    command("vacuum")  # of files without a row that Spark wrote
    assert command("vacuum")[1] == "nothing to do\n"


def test_what_is_gone_is_not_counted_any_more(command):
    assert command("rollback", FIRST)[0] == 0
    tables = {entry["table"]: entry for entry in json.loads(command("tables", "--json")[1])["tables"]}
    assert (tables["items"]["rows"], tables["events"]["rows"], tables["recommendations"]["rows"]) == (1, 0, 1)
    assert [night["night"] for night in json.loads(command("runs", "--json")[1])["nights"]] == [FIRST]


def test_what_was_removed_of_older_nights_is_not_counted_any_more(spark, command, folder, settings_file):
    settings = load_settings(settings_file, overrides=[f"night.format={format_of(folder)}"])
    publish(spark, folder, "2012-11-01", settings, {"recommendations": [{"user_id": "a:u1", "rank": 1}]})
    dropped = json.loads(command("retain", "--nights", "1", "--json")[1])["effects"]
    found = [(effect["what"], effect["night"], effect["rows"]) for effect in dropped]
    assert found == [("recommendations", FIRST, 1)]  # the evaluations are of the last refresh
    tables = {entry["table"]: entry for entry in json.loads(command("tables", "--json")[1])["tables"]}
    assert (tables["items"]["rows"], tables["recommendations"]["rows"]) == (4, 8)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_a_folder_in_use_is_left_alone(command, folder, arguments):
    with exclusive(folder):
        code, out, err = command(*arguments)
    assert (code, out) == (6, "")
    assert "is in use by process" in err


def test_a_dry_run_finishes_nothing_that_was_left_half_done(command, folder):
    write_json(folder / PLAN, {"upkeep": "compact"})
    code, _, err = command("vacuum", "--dry-run")
    assert code == 2
    assert "something is left half-done here; run this without --dry-run to finish it" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["compact", "--night", FIRST], 2, "compact works on all nights: leave --night out"),
        (["forget", "nobody"], 2, "'nobody' is no user_id: give it as the tables have it, SOURCE:ID"),
        (["rollback", "2013-01-01"], 2, "night 2013-01-01 is not published"),
    ],
)
def test_a_mistake_is_told(command, arguments, code, said):
    found = command(*arguments)
    assert found[0] == code
    assert said in found[2]


@pytest.mark.parametrize("arguments", [["retain"], ["retain", "--nights", "0"], ["rollback"], ["forget"]])
def test_a_wrong_command_line_ends_with_2(tables_dir, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(["--tables", str(tables_dir), *arguments])
    assert caught.value.code == 2
    assert "usage: chronotope" in capsys.readouterr().err


def test_a_folder_without_tables_is_refused_and_stays_empty(tmp_path, capsys):
    assert main(["--tables", str(tmp_path), "compact"]) == 5
    assert "no night is published here" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
