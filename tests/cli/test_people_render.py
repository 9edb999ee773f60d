"""Tables for a terminal of any width, for a file, and as JSON."""

from __future__ import annotations

import datetime as dt
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from chronotope.cli.render import Grid, Reply, cell, clean, jsonable, show

GRID = Grid("茶 lists", ["name", "n"], [["茶馆", 1_000], ["a long name " * 20, 2], [None, 3]], frozenset({"n"}))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_file_gets_every_row_whole_on_one_line_and_no_colours():
    out = io.StringIO()
    show(Reply({}, ["note", GRID]), as_json=False, out=out)
    lines = out.getvalue().splitlines()
    assert lines[:2] == ["note", "茶 lists"]
    assert lines[2].split() == ["name", "n"]
    assert len(lines) == 6
    assert ("a long name " * 20).strip() in lines[4]
    assert "\x1b" not in out.getvalue()
    assert all(line == line.rstrip() for line in lines)


def test_numbers_end_in_the_same_column_beside_wide_letters():
    out = io.StringIO()
    show(Reply({}, [GRID]), as_json=False, out=out)
    header, *rows = out.getvalue().splitlines()[1:]
    assert {cell_len(row) for row in rows} == {cell_len(header)}


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_is_never_overrun(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    show(Reply({}, [GRID]), as_json=False, out=out)
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "") for line in out.getvalue().splitlines()]
    assert max(cell_len(line) for line in lines) <= width
    assert "1,000" in out.getvalue()


@given(st.text())
def test_cleaned_text_has_no_control_characters(text):
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 or letter in "\u202e\u2066" for letter in clean(text))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.datetimes() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_every_value_has_json_and_a_cell(value):
    assert json.loads(json.dumps(jsonable(value), allow_nan=False)) is not False or value is False
    assert "\n" not in cell(value)


def test_json_keeps_letters_and_keys():
    out = io.StringIO()
    show(Reply({"茶": dt.date(2012, 10, 31), "x": float("inf")}), as_json=True, out=out)
    assert "茶" in out.getvalue()
    assert json.loads(out.getvalue()) == {"茶": "2012-10-31", "x": None}
