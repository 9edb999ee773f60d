"""What command lines take, and how they refuse the rest."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

import pytest

from chronotope.cli.arguments import day, folder, positive, tables_folder
from chronotope.cli.jobs import main as night
from chronotope.cli.people import main


def test_what_is_written_well_is_taken():
    assert folder("tables/night") == Path.cwd() / "tables" / "night"
    for name in ("a b", "100%", "a%zz", "a+b", "a*b", "a?b", "a:b", "a,b", "é"):  # tables are read and written there
        assert tables_folder(f"/tables/{name}") == Path("/tables") / name
    assert positive("12") == 12
    assert day("2012-10-31") == dt.date(2012, 10, 31)


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (folder, "s3://bucket/tables", "mount the storage, and give the folder"),
        (folder, "", "the path is empty: give a folder"),
        (tables_folder, "", "the path is empty: give a folder"),
        (tables_folder, "s3://bucket/tables", "mount the storage, and give the folder"),
        (
            tables_folder,
            "/a%41/tables",
            "holds '%41', which Spark or Delta would read as something else: give a folder",
        ),
        (tables_folder, "/a%20b", "holds '%20'"),
        (tables_folder, "/a\\b", r"holds '\\\\'"),
        (tables_folder, "/a\tb", r"holds '\\t'"),
        (tables_folder, "/a[b]", r"holds '\['"),
        (tables_folder, "/a{b}", r"holds '\{'"),
        (positive, "0", "no whole number from 1 on"),
        (positive, "1.5", "no whole number from 1 on"),
        (day, "31.10.2012", "no date such as 2012-10-31"),
    ],
)
def test_what_is_not_is_refused_with_what_would_be(kind, text, said):
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        kind(text)


@pytest.mark.parametrize("given", [("log", ""), ("", "tables"), ("log", "a%41")])
def test_a_night_with_a_path_that_is_none_makes_no_folder(capsys, tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    call = ["--source", "shop.yaml", "--input", given[0], "--tables", given[1], "--date", "2012-10-31"]
    with pytest.raises(SystemExit) as ended:
        night({"ingest": lambda _: None}, call)
    assert ended.value.code == 2
    assert "the path" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_link_hides_no_such_path(tmp_path):
    (tmp_path / "a%41").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a%41")
    with pytest.raises(argparse.ArgumentTypeError, match=r"/a%41' holds '%41'"):
        tables_folder(str(tmp_path / "link"))


def test_an_address_makes_no_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["--tables", "s3://bucket/tables", "tables"])
    assert ended.value.code == 2
    assert "mount the storage" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
