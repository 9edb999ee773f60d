"""What command lines take, and how they refuse the rest."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path

import pytest

from chronotope.cli.arguments import day, folder, positive
from chronotope.cli.people import main


def test_what_is_written_well_is_taken():
    assert folder("tables/night") == Path.cwd() / "tables" / "night"
    assert positive("12") == 12
    assert day("2012-10-31") == dt.date(2012, 10, 31)


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (folder, "s3://bucket/tables", "mount the storage, and give the folder"),
        (positive, "0", "no whole number from 1 on"),
        (positive, "1.5", "no whole number from 1 on"),
        (day, "31.10.2012", "no date such as 2012-10-31"),
    ],
)
def test_what_is_not_is_refused_with_what_would_be(kind, text, said):
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        kind(text)


def test_an_address_makes_no_folder(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["--tables", "s3://bucket/tables", "tables"])
    assert ended.value.code == 2
    assert "mount the storage" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
