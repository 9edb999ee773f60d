"""What a command answers, printed for people (tables fitted to the terminal, plain when piped) or as JSON."""

from __future__ import annotations

import datetime as dt
import io
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

# Control characters and direction overrides: logs hold them, and they would garble or steer the reader's terminal.
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
PIPED_WIDTH_CHARS = 100_000  # nothing is wrapped or cut for a file or another program
GAP = (0, 2, 0, 0)  # two spaces between columns


def complain(text: object) -> None:
    """Say on standard error what went wrong."""
    sys.stderr.write(f"{text}\n")


@dataclass(frozen=True)
class Grid:
    """Rows under headings; the columns in `numbers` are set flush right."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Reply:
    """A command's answer: `data` for programs, `blocks` (lines of text and grids) for people."""

    data: Any
    blocks: list[str | Grid] = field(default_factory=list)


def show(reply: Reply, as_json: bool, out: IO[str] | None = None) -> None:
    """Print a reply to a stream, standard output unless another is given."""
    out = out or sys.stdout
    if as_json:
        out.write(json.dumps(jsonable(reply.data), ensure_ascii=False, indent=1) + "\n")
        return
    if out.isatty():
        print_blocks(reply.blocks, Console(file=out, markup=False, highlight=False, emoji=False), plain=False)
        return
    text = io.StringIO()  # to drop the blanks that fill the last column
    wide = Console(file=text, markup=False, highlight=False, emoji=False, width=PIPED_WIDTH_CHARS)
    print_blocks(reply.blocks, wide, plain=True)
    out.writelines(line.rstrip() + "\n" for line in text.getvalue().split("\n")[:-1])


def print_blocks(blocks: Sequence[str | Grid], console: Console, plain: bool) -> None:
    """Print lines of text and grids on a console."""
    for block in blocks:
        console.print(Text(clean(block)) if isinstance(block, str) else drawn(block, plain))


def drawn(grid: Grid, plain: bool) -> Table:
    """A grid as a rich table; `plain` keeps each row on one line."""
    table = Table(
        title=Text(clean(grid.title), style="bold") if grid.title else None,
        title_justify="left",
        box=None,
        padding=GAP,
        header_style="bold",
    )
    for name in grid.columns:
        right = name in grid.numbers
        table.add_column(
            Text(clean(name)), justify="right" if right else "left", no_wrap=plain or right, overflow="fold"
        )
    for row in grid.rows:
        table.add_row(*[Text(cell(value)) for value in row])
    return table


def cell(value: Any) -> str:
    """A value as people read it.

    >>> [cell(v) for v in (1234567, 0.123456, None, {"a": 1.0}, [1, 2])]
    ['1,234,567', '0.1235', '', 'a 1', '1, 2']
    """
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
        case dt.datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
        case Mapping():
            return ", ".join(f"{cell(key)} {cell(inner)}" for key, inner in value.items())
        case list() | tuple():
            return ", ".join(cell(inner) for inner in value)
    return clean(str(value))


def clean(text: str) -> str:
    r"""Text that cannot steer a terminal: control characters become the replacement sign, line ends become spaces.

    >>> clean("caf\u00e9\n\x1b[31mred")
    'café �[31mred'
    """
    return UNPRINTABLE.sub("\ufffd", text.replace("\r", " ").replace("\n", " ").replace("\t", " "))


def jsonable(value: Any) -> Any:
    r"""A value as JSON has it: dates as ISO text, numbers that are none (NaN, infinity) as null, bytes as hex.

    >>> jsonable({"at": dt.date(2012, 10, 31), "x": float("nan"), "b": b"\x01"})
    {'at': '2012-10-31', 'x': None, 'b': '01'}
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case dt.date():  # a datetime is one
            return value.isoformat()
        case bytes():
            return value.hex()
        case Mapping():
            return {str(key): jsonable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [jsonable(inner) for inner in value]
    return str(value)


def size(n_bytes: float) -> str:
    """A number of bytes in words.

    >>> [size(n) for n in (0, 1023, 1024, 5 * 1024**3)]
    ['0 B', '1023 B', '1.0 KiB', '5.0 GiB']
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.1f} TiB"
