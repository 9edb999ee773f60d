"""The default loader, and the refusal of one that is not there."""

from __future__ import annotations

import sys

import pyarrow.parquet as pq
import pytest

from chronotope.cli.jobs import main
from chronotope.errors import UsageError
from chronotope.train.fit import fit
from chronotope.train.loading import COLUMNS, READ_USERS, load_parquet, loader_of
from tests.train import small


@pytest.fixture
def no_petastorm(monkeypatch):
    """As where it is not installed."""
    monkeypatch.setitem(sys.modules, "petastorm", None)
    monkeypatch.delitem(sys.modules, "chronotope.train.petastorm_loader", raising=False)


def test_frames_hold_what_is_learned_from_in_the_order_of_the_file(tmp_path):
    rows = [small.history(f"u{n}", [n % 6] * (n % 4)) for n in range(READ_USERS + 10)]
    (path,) = small.write(tmp_path, rows)
    pq.write_table(pq.read_table(path), path, row_group_size=100)
    first, second = load_parquet(path)
    assert (len(first), len(second)) == (READ_USERS, 10)
    assert [*first["user_id"], *second["user_id"]] == [row["user_id"] for row in rows]
    assert list(first) == COLUMNS
    assert [items.tolist() for items in first["item_id"]] == [row["item_id"] for row in rows[:READ_USERS]]


def test_the_default_is_parquet(defaults):
    assert loader_of(defaults.train.loader) is load_parquet


def test_petastorm_is_refused_before_training_where_it_is_missing(no_petastorm, defaults, tmp_path):
    asked = defaults.model_copy(update={"train": defaults.train.model_copy(update={"loader": "petastorm"})})
    files = small.write(tmp_path, [small.history("u", [0, 1, 2])])
    with pytest.raises(UsageError, match=r"requirements-oldest\.lock.*\.venv-oldest"):
        fit(files, small.catalogue(), asked, small.MONDAY_S, small.DAY_S, tmp_path / "models" / "m", 1)
    assert not (tmp_path / "models").exists()


def test_a_night_says_so_before_it_begins(no_petastorm, settings_file, tmp_path, capsys):
    source = settings_file.parent / "sources" / "foursquare_nyc.yaml"
    options = ["--source", source, "--tables", tmp_path / "tables", "--date", "2012-10-30", "--settings", settings_file]
    code = main({"train": lambda night: None}, [*map(str, options), "--set", "train.loader=petastorm"])
    assert (code, (tmp_path / "tables").exists()) == (2, False)
    assert "train.loader=petastorm" in capsys.readouterr().err
