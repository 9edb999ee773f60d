from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "scripts" / "make_world.py"


def make_world(*arguments):
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False)


def test_help_shows_every_option_with_its_default():
    shown = make_world("--help")
    text = " ".join(shown.stdout.split())
    assert shown.returncode == 0
    assert "users (default: 200)" in text
    assert "(default: 2026-02-02)" in text
    assert text.count("(default: ") == 11


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--users", 0], "--users 0: give 1 to"),
        (["--items", 3, "--days", 0], "--days 0: give 1 to"),
        (["--late-share", 0.9, "--too-late-share", 0.9], "the shares add up to"),
    ],
)
def test_wrong_sizes_end_with_2_before_spark_starts(tmp_path, arguments, message):
    ended = make_world("--out", tmp_path / "world", *arguments)
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "SparkContext" not in ended.stderr
    assert not (tmp_path / "world").exists()


@pytest.mark.slow
def test_the_script_writes_a_world_and_says_what_is_in_it(tmp_path):
    ended = make_world("--out", tmp_path / "world", "--users", 5, "--items", 86, "--days", 2)
    assert ended.returncode == 0
    assert "events to take in" in ended.stdout
    assert (tmp_path / "world" / "truth" / "planted.json").exists()
    assert len(list((tmp_path / "world" / "events").glob("day=*"))) == 2
