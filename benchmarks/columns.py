"""Tables that somebody else brings: files of several kinds, columns of many names, ids as text, times as seconds."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

MAGIC = b"PAR1"  # the first bytes of a Parquet file, whatever it is called
# Epochs of which half are below this count so many units a second: 1e11 is 1973 in milliseconds and 5138 in seconds.
EPOCHS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (np.inf, 1e9))


def read_table(path: Path, unnamed: Sequence[str]) -> pd.DataFrame:
    """A table: Parquet (a file that begins like one, or a folder), else text with a header, tabs in `.tsv`, or commas.

    A `.dat` is as MovieLens writes it: without header, `::` between columns. All values of text files come as text, so
    that ids stay as they are written. Bytes that are no UTF-8 are Latin-1.

    Args:
        path: of the file.
        unnamed: what the columns of a `.dat` are.

    """
    if path.is_dir() or is_parquet(path):
        table = pd.read_parquet(path)
        return table.reset_index(drop=table.index.names == [None])
    how: dict[str, Any] = {"sep": "\t" if ".tsv" in path.suffixes else ","}
    if ".dat" in path.suffixes:
        how = {"sep": "::", "names": list(unnamed), "engine": "python", "quoting": csv.QUOTE_NONE}
    try:
        return pd.read_csv(path, dtype=str, index_col=False, encoding="utf-8-sig", **how)
    except UnicodeDecodeError:
        return pd.read_csv(path, dtype=str, index_col=False, encoding="latin-1", **how)


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def found(table: pd.DataFrame, names: Sequence[str]) -> str | None:
    """The column that has the first of these names that one has, whatever its case and punctuation.

    >>> found(pd.DataFrame(columns=["Movie", "movieId"]), ["item_id", "movie_id", "movie"])
    'movieId'
    """
    called = {letters(name): name for name in reversed(table.columns)}
    return next((called[letters(name)] for name in names if letters(name) in called), None)


def letters(name: Any) -> str:
    """A name without case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def needed(table: pd.DataFrame, names: Sequence[str], path: Path) -> str:
    """The column that has one of these names.

    Raises:
        ValueError: when none has.

    """
    name = found(table, names)
    if name is None:
        raise ValueError(f"{path.name} has columns {list(table)}, none of {', '.join(names)}")
    return name


def refuse_gaps(table: pd.DataFrame, columns: Sequence[str], path: Path) -> None:
    """Refuse a table that is not complete.

    Raises:
        ValueError: when there is no row, or rows lack a value in one of the columns.

    """
    if table.empty:
        raise ValueError(f"{path.name} has no rows")
    values = table[list(columns)]
    gaps = int((values.isna() | (values == "")).any(axis=1).sum())
    if gaps:
        raise ValueError(f"{path.name}: {gaps} of {len(table)} rows have no {' or no '.join(columns)}")


def texts(values: pd.Series) -> pd.Series:
    """Values, none of them missing, as text; where all are whole numbers, without the `.0` that floats come with.

    >>> texts(pd.Series([10.0, 2e16])).tolist(), texts(pd.Series(["10.0", "x"])).tolist()
    (['10', '20000000000000000'], ['10.0', 'x'])
    """
    if pd.api.types.is_float_dtype(values) and (values % 1 == 0).all():
        return values.astype("int64").astype(str)
    written = values.astype(str)
    return written.str.removesuffix(".0") if written.str.fullmatch(r"-?\d+\.0").all() else written


def words(table: pd.DataFrame, names: Sequence[str]) -> pd.Series:
    """The column of one of these names as text, lists with bars between their parts; None where there is nothing."""
    name = found(table, names)
    values = pd.Series(None, index=table.index, dtype=object) if name is None else table[name].astype(object)
    values = values.map(lambda value: "|".join(map(str, value)) if isinstance(value, list | np.ndarray) else value)
    told = values[values.notna() & (values != "")]
    return texts(told).reindex(table.index).astype(object)


def seconds(times: pd.Series) -> pd.Series:
    """Times, none of them missing, as epoch seconds.

    Numbers, also as text, are epochs in seconds, milliseconds, microseconds or nanoseconds, told by their median; all
    else is what `moments` reads.

    Raises:
        ValueError: when a time cannot be read.

    """
    if not pd.api.types.is_datetime64_any_dtype(times):
        numbers = pd.to_numeric(times if pd.api.types.is_numeric_dtype(times) else times.astype(str), errors="coerce")
        if numbers.notna().all():
            median = abs(numbers.median())
            return numbers.astype("float64") / next(units for below, units in EPOCHS if median < below)
    return (moments(times) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)


def moments(times: pd.Series) -> pd.Series:
    """Datetimes of any zone, or ISO texts, in UTC; without a zone they are UTC.

    Raises:
        ValueError: when a text is no ISO time.

    """
    if pd.api.types.is_datetime64_any_dtype(times):
        return pd.to_datetime(times, utc=True)
    try:
        return pd.to_datetime(times.astype(str), utc=True, format="ISO8601")
    except ValueError as error:
        raise ValueError(f"times in {times.name} are neither epochs nor ISO texts: {error}") from error
