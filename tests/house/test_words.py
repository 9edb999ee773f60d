"""Every table, column and setting says what it holds, and in what unit."""

from __future__ import annotations

import re
import typing

import pytest
import yaml

from chronotope.config import Settings
from chronotope.tables import TABLES
from chronotope.tables.declaration import parse_type
from tests.house.source import ROOT

SNAKE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NUMBERS = ("int", "bigint", "double", "float")
UNITS = ("_s", "_m", "_min", "_days", "_minutes", "_tokens", "_chars", "_events", "_users", "_steps", "_terms",
         "_regions", "_contexts", "_queries", "_topics", "_share", "_resolution", "_size", "_decay", "_confidence",
         "_items", "_hours")  # fmt: skip
# Numbers that carry no unit in their name: pure numbers and counts, each told in its comment in the settings file.
PURE = {
    "night.seed", "night.threads", "train.dim", "train.hidden", "train.trust_hidden", "train.epochs", "train.patience",
    "train.learning_rate", "train.trust_learning_rate", "train.dropout", "train.trust_dropout",
    "train.label_smoothing", "train.kl_weight", "train.ahead_share",
    "train.mask_previous", "train.mask_lately", "recommend.k", "recommend.candidates", "evaluate.ks",
    "evaluate.confidence", "alarms.max_shortfall", "alarms.reject_ratio", "alarms.max_psi",
}  # fmt: skip
# Words by which a column's comment or name tells what a number counts or in what unit it is.
COLUMN_UNITS = re.compile(
    r"_s\b|_m\b|_min\b|degree|minute|second|metre|hour|count|rows|event|document|times|place|first|best|"
    r"share|P\(|weight|frequency|score|metric|interval|users|items|amount|1 for|bytes",
)  # fmt: skip

COLUMNS = [pytest.param(table, column, id=f"{table.name}.{column.name}") for table in TABLES.values()
           for column in table.columns]  # fmt: skip


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_a_column_has_a_snake_case_name_a_type_and_a_comment(table, column):
    assert SNAKE.fullmatch(column.name)
    assert parse_type(column.type).simpleString() == column.type
    assert len(column.comment) > 2


@pytest.mark.parametrize(("table", "column"), [p for p in COLUMNS if p.values[1].type in NUMBERS])
def test_a_numeric_column_tells_its_unit(table, column):
    assert COLUMN_UNITS.search(f"{column.name} {column.comment}"), column.comment


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_table_has_a_key_a_grain_a_purpose_and_its_night(table):
    assert SNAKE.fullmatch(table.name)
    assert table.grain.startswith("one row per ")
    assert table.purpose.endswith(".")
    assert table.key
    assert set(table.key) <= set(table.names)
    assert len(set(table.names)) == len(table.names)
    assert table.names[-1] == "night"


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_key_is_never_null(table):
    assert [c.name for c in table.columns if c.name in table.key and c.nullable] == []


def settings_fields():
    for section, of in Settings.model_fields.items():
        for name, field in of.annotation.model_fields.items():
            yield f"{section}.{name}", field


def is_number(field):
    kinds = typing.get_args(field.annotation) or (field.annotation,)
    return typing.get_origin(field.annotation) in (None, list) and bool({int, float} & set(kinds))


def test_a_numeric_setting_carries_its_unit_in_its_name():
    bare = {name for name, field in settings_fields() if is_number(field) and not name.endswith(UNITS)}
    assert bare <= PURE, f"give a unit, or list and comment it: {sorted(bare - PURE)}"


def test_the_list_of_pure_numbers_has_no_entry_too_many():
    assert {name for name, _ in settings_fields()} >= PURE


def test_every_setting_has_a_comment_in_the_settings_file():
    lines = (ROOT / "conf" / "chronotope.yaml").read_text(encoding="utf-8").splitlines()
    bare = [line for line in lines if re.match(r"  \w+:", line) and not re.search(r"\s#\s*\w.{5,}", line)]
    assert bare == []


def test_the_settings_file_has_the_sections_and_keys_in_the_order_of_the_code():
    values = yaml.safe_load((ROOT / "conf" / "chronotope.yaml").read_text(encoding="utf-8"))
    assert [f"{section}.{key}" for section, of in values.items() for key in of] == [n for n, _ in settings_fields()]
