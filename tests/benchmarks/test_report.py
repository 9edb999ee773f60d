"""What a benchmark says of the code that it measured."""

import json
import subprocess

import pytest

from benchmarks import report


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a program and a result, which the report takes for its checkout."""
    (tmp_path / "results").mkdir()
    for name in ("program.py", "results/claim.json"):
        (tmp_path / name).write_text("1\n", encoding="utf-8")
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "mark"),
    [(None, ""), ("results/claim.json", ""), ("program.py", "-dirty"), ("new.py", "")],
)
def test_only_changed_code_makes_a_commit_dirty(folder, changed, mark):
    who = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "one")):
        subprocess.run(["git", "-C", folder, *command], check=True)
    head = subprocess.check_output(["git", "-C", folder, "rev-parse", "--short", "HEAD"], text=True).strip()
    if changed:
        (folder / changed).write_text("2\n", encoding="utf-8")
    assert report.commit() == head + mark


def test_a_folder_without_git_has_no_commit(folder):
    assert report.commit() == "none"


def test_without_git_the_report_is_written_all_the_same(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    report.report("claim", {"figure": 1}, folder)
    kept = json.loads((folder / "claim.json").read_text(encoding="utf-8"))
    assert (report.git("describe"), kept["commit"], kept["figure"]) == ("", "none", 1)
