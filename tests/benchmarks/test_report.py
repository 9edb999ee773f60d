"""What a benchmark says of the code that it measured."""

import subprocess

import pytest

from benchmarks import report


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of one commit with a program and a result."""
    (tmp_path / "results").mkdir()
    for name in ("program.py", "results/claim.json"):
        (tmp_path / name).write_text("1\n", encoding="utf-8")
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-C", tmp_path, *command], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "dirty"), [(None, False), ("results/claim.json", False), ("program.py", True), ("new.py", False)]
)
def test_only_changed_code_makes_a_commit_dirty(checkout, changed, dirty):
    if changed:
        (checkout / changed).write_text("2\n", encoding="utf-8")
    commit = report.commit()
    assert commit.removesuffix("-dirty")
    assert commit.endswith("-dirty") == dirty


def test_a_folder_without_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "ROOT", tmp_path)
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    assert report.commit() == "none"
