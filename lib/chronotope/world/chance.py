"""Randomness as a function: the same seed, name and keys give the same number on any partition of any cluster."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F

Keys = Column | str


def uniform(seed: int, name: str, *keys: Keys) -> Column:
    """A number in [0, 1) for each distinct tuple of integer keys; independent for each `name`.

    The upper 53 bits of xxHash64: as many as a double holds, so no two hashes are rounded to 1.0.

    >>> spark.range(3).select(F.round(uniform(7, "coin", "id"), 3).alias("u")).distinct().count()
    3
    """
    # An int and a bigint of the same value have different hashes, so that all keys become bigint.
    wide = [(F.col(key) if isinstance(key, str) else key).cast("bigint") for key in keys]
    return F.shiftrightunsigned(F.xxhash64(F.lit(seed), F.lit(name), *wide), 11) * F.lit(2.0**-53)


def whole(chance: Column, n: int | Column) -> Column:
    """The uniform number `chance` as an integer in 0 .. n - 1."""
    return F.floor(chance * n).cast("int")


def cumulated(weights: Sequence[float]) -> list[float]:
    """The cumulated shares of weights without the last, which is 1.

    >>> cumulated([2, 1, 1])
    [0.5, 0.75]
    """
    total = sum(weights)
    return list(itertools.accumulate(weight / total for weight in weights))[:-1]


def pick(chance: Column, weights: Sequence[float]) -> Column:
    """An index into `weights`, drawn in proportion to them (inverse of the cumulated distribution)."""
    return pick_from(chance, constant(cumulated(weights)))


def pick_from(chance: Column, shares: Column) -> Column:
    """As `pick`, with the cumulated shares as an array column: each row may have its own."""
    return F.size(F.filter(shares, lambda share: share <= chance))


def entry(values: Sequence[object], index: Column) -> Column:
    """The constant at a 0-based index, null for a null index; nested sequences become arrays."""
    # Not element_at: in ANSI mode Spark 4.1 takes it for never null, and gives the last entry for a null index.
    return F.get(constant(values), index)


def constant(values: Sequence[object]) -> Column:
    """An array of constants, parsed from one SQL text: a call into the JVM for each word takes seconds."""
    return F.expr(sql_text(values))


def sql_text(value: object) -> str:
    """A Python number, text, truth value or nested sequence as a SQL literal.

    >>> sql_text([1, 0.5, "tea", True])
    "array(1, 0.5D, 'tea', true)"
    """
    if isinstance(value, (list, tuple)):
        return f"array({', '.join(map(sql_text, value))})"
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value).lower() if isinstance(value, (bool, int)) else f"{value!r}D"
