"""Who reads histories from Parquet (`train.loader`): every loader gives the same users in the same frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pandas as pd
import pyarrow.parquet as pq

from chronotope.errors import UsageError

READ_USERS = 512  # users in a frame
# What training reads of `chronotope.train.histories.histories`: all but the ids of events.
COLUMNS = ["user_id", "item_id", "action", "occurred_at_s", "slot", "region", "lat", "lon", "gap_s", "distance_m"]

Loader = Callable[[Path], Iterator[pd.DataFrame]]


def loader_of(name: Literal["parquet", "petastorm"]) -> Loader:
    """The loader that `train.loader` names.

    Raises:
        UsageError: when petastorm is asked for where it cannot be imported.

    """
    if name == "parquet":
        return load_parquet
    try:
        from chronotope.train.petastorm_loader import load_petastorm
    except ImportError as error:
        raise UsageError(
            f"train.loader=petastorm cannot be used here ({error}): petastorm works in the environment of "
            "requirements-oldest.lock, which scripts/setup --oldest makes in .venv-oldest; or set train.loader=parquet"
        ) from error
    return load_petastorm


def load_parquet(path: Path) -> Iterator[pd.DataFrame]:
    """The rows of a file in their order, `READ_USERS` at a time, across row groups; no frame for a file without rows.

    Columns are `COLUMNS`, arrays as NumPy arrays. Not more than a frame, and what Parquet buffers, is in memory.
    """
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=READ_USERS, columns=COLUMNS):
            yield batch.to_pandas()
