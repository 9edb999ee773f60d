"""From rows of `histories` to padded arrays, and rows of similar length side by side.

Letters: B users, L steps of the longest user in the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from chronotope.train.scoring import Catalogue, Doubles, Ints, Users

T = TypeVar("T", bound=np.generic)


def users_of(histories: pd.DataFrame, catalogue: Catalogue) -> Users:
    """A batch of users as padded arrays, in the order of the rows.

    Items, actions and regions that the catalogue does not know become -1, as does padding; other padding is zero
    for numbers that are always there and NaN for those that may be unknown. A batch without rows has L = 0.

    Args:
        histories: rows of `chronotope.train.histories.histories`, arrays as NumPy arrays or lists.
        catalogue: whose item, action and region indices are used.

    """
    length = np.array([len(steps) for steps in histories["item_id"]], dtype=np.int64)
    real = np.arange(length.max(initial=0)) < length[:, None]  # [B, L]

    def indices(column: str, known: pd.Index[str]) -> Ints:
        return padded(known.get_indexer(pd.Index(flat(histories[column]))), real, -1, np.int64)

    def numbers(column: str, filler: float = np.nan) -> Doubles:
        return padded(flat(histories[column], np.float64), real, filler, np.float64)

    return Users(
        user_ids=histories["user_id"].tolist(),
        length=length,
        item=indices("item_id", catalogue.item_index),
        action=indices("action", catalogue.action_index),
        at_s=numbers("occurred_at_s", 0.0),
        slot=numbers("slot", 0.0).astype(np.int64),
        region=indices("region", catalogue.region_index),
        lat=numbers("lat"),
        lon=numbers("lon"),
        gap_s=numbers("gap_s"),
        distance_m=numbers("distance_m"),
    )


def flat(arrays: Iterable[npt.ArrayLike], dtype: npt.DTypeLike = object) -> npt.NDArray[Any]:
    """The arrays of a column one after the other; an empty array for none. Among numbers NaN stands for None.

    >>> flat([["a", None], [], ["b"]]).tolist()
    ['a', None, 'b']
    >>> flat([[1, None]], np.float64).tolist()
    [1.0, nan]
    """
    parts = [np.asarray(array, dtype=dtype) for array in arrays]
    return np.concatenate(parts) if parts else np.empty(0, dtype=dtype)


def padded(values: npt.NDArray[Any], real: npt.NDArray[np.bool_], filler: float, dtype: type[T]) -> npt.NDArray[T]:
    """Values one user after the other, laid into the real places of a [B, L] array; the rest is filler."""
    array = np.full(real.shape, filler, dtype=dtype)
    array[real] = values
    return array


def by_length(frames: Iterable[pd.DataFrame], size: int) -> Iterator[pd.DataFrame]:
    """Cut each frame of histories into frames of at most `size` users of similar length; no row is lost or doubled.

    Longest first, ties in the order given: the largest batch comes first, so memory does not grow afterwards.
    """
    for frame in frames:
        length = np.array([len(steps) for steps in frame["item_id"]], dtype=np.int64)
        order = np.argsort(-length, kind="stable")
        for start in range(0, len(frame), size):
            yield frame.iloc[order[start : start + size]]
