"""docs/tables.md is what the declarations say, and its examples run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from chronotope.cli.people import main
from chronotope.tables import TABLES
from chronotope.tables.document import document
from tests.store.published import publish

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tables.md"


@pytest.fixture(scope="module")
def tables_dir(_spark_session, tmp_path_factory, defaults):
    folder = tmp_path_factory.mktemp("documented") / "tables"
    publish(_spark_session, folder, "2012-10-31", defaults, {
        "recommendations": [
            {"user_id": "s:u1", "daypart": "weekend_day", "region": "NYC", "rank": rank, "item_id": f"s:i{rank}",
             "reason": "near"} for rank in (1, 2)
        ],
        "interests": [
            {"user_id": "s:u1", "horizon": of, "terms": [("tea", 0.8), ("jazz", 0.6)]} for of in ("long", "short")
        ],
    })  # fmt: skip
    return folder


def test_the_page_is_fresh():
    assert PAGE.read_text(encoding="utf-8") == document(), (
        "docs/tables.md is stale: python -m chronotope.tables.document > docs/tables.md"
    )


def test_every_table_and_column_is_on_the_page():
    for table in TABLES.values():
        assert f"## {table.name}\n" in document()
        assert all(f"| `{column.name}` | " in document() for column in table.columns)


def examples(language):
    return re.findall(rf"```{language}\n(.*?)```", document(), re.DOTALL)


def test_the_python_examples_run(tables_dir, monkeypatch):
    monkeypatch.chdir(tables_dir.parent)
    found = {}
    for code in examples("python"):
        if "pyspark" not in code:  # Spark's connector is a download that tests do without
            exec(compile(code, "docs/tables.md", "exec"), found)
    assert found["best"] == [("s:u1", "weekend_day", "NYC", "s:i1", "near")]
    assert sorted(found["strongest"].rows()) == [("jazz", 1), ("tea", 1)]


def test_the_commands_run(tables_dir, monkeypatch, capsys):
    monkeypatch.chdir(tables_dir.parent)
    (block,) = examples("sh")
    for line in block.splitlines():
        name, *arguments = shlex.split(line)
        assert (name, main(arguments)) == ("chronotope", 0)
        assert capsys.readouterr().out
