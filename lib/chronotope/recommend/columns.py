"""Between Arrow columns and arrays, whole columns at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chronotope.train.scoring import Bools, Doubles, Ints, Users


def as_maps(parts: Mapping[str, Doubles], n_rows: int) -> pa.MapArray:
    """One map per row from name to value, names sorted, from a column of values [R] per name; zeros are left out.

    >>> as_maps({"b": np.array([1.0, 0.0]), "a": np.array([3.0, 4.0])}, 2).to_pylist()
    [[('a', 3.0), ('b', 1.0)], [('a', 4.0)]]
    """
    names = sorted(parts)
    values = np.stack([parts[name] for name in names], axis=1)  # [R, parts]
    row, name = np.nonzero(values)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n_rows))]).astype(np.int32)
    keys = pa.array(names, pa.string()).take(pa.array(name))
    return pa.MapArray.from_arrays(pa.array(offsets), keys, pa.array(values[row, name], pa.float64()))


def lengths(lists: pa.Array) -> Ints:
    """The length of each list, 0 for null, [B].

    >>> lengths(pa.array([["a"], None, []])).tolist()
    [1, 0, 0]
    """
    found: Ints = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def members(lists: pa.Array, known: pa.Array) -> Bools | None:
    """Which of the known names each list holds, [B, N]; other names are ignored; None when no list holds anything.

    >>> members(pa.array([["b", "z"], None]), pa.array(["a", "b"])).tolist()
    [[False, True], [False, False]]
    """
    names = pc.list_flatten(lists)
    if len(names) == 0:
        return None
    column = pc.fill_null(pc.index_in(names, value_set=known), -1).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(len(lists)), lengths(lists))
    held = np.zeros((len(lists), len(known)), dtype=bool)
    held[row[column >= 0], column[column >= 0]] = True
    return held


def no_history(user_id: str) -> Users:
    """One user without a step."""
    ints, doubles = np.zeros((1, 0), np.int64), np.zeros((1, 0))
    return Users(
        user_ids=[user_id], length=np.zeros(1, np.int64), item=ints, action=ints, at_s=doubles, slot=ints,
        region=ints, lat=doubles, lon=doubles, gap_s=doubles, distance_m=doubles,
    )  # fmt: skip
