"""Histories read by petastorm: the next row group is read and unpacked by a thread while the model learns.

Imported only where `train.loader` asks for it: petastorm 0.13 needs pyarrow below 15, see requirements-oldest.lock.
"""

from __future__ import annotations

import logging
import pickle
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from petastorm import TransformSpec, make_batch_reader

from chronotope.train.loading import COLUMNS, READ_USERS

# Told once for every row group: that pyarrow 15 drops what petastorm uses, and that petastorm did not write the files.
warnings.filterwarnings("ignore", category=FutureWarning, module=r"petastorm\.")
logging.getLogger("petastorm").setLevel(logging.WARNING)


def load_petastorm(path: Path) -> Iterator[pd.DataFrame]:
    """The rows of a file as `chronotope.train.loading.load_parquet` gives them.

    Up to three row groups are in memory: the one in use, one that waits and one that is being read.
    """
    users = rows(path)
    while some := list(islice(users, READ_USERS)):
        yield pd.DataFrame(some, columns=COLUMNS)


def rows(path: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of a file in their order."""
    packed = TransformSpec(packed_rows, edit_fields=[("row", np.bytes_, (), False)], selected_fields=["row"])
    reader = make_batch_reader(
        f"file://{path.resolve()}",
        schema_fields=COLUMNS,
        shuffle_row_groups=False,
        reader_pool_type="thread",
        workers_count=1,  # more of them would give row groups out of order
        results_queue_size=1,
        transform_spec=packed,
    )
    try:
        for group in reader:
            yield from map(pickle.loads, group.row)
    finally:  # and not `with`, which prints a line for every file
        reader.stop()
        reader.join()


def packed_rows(group: pd.DataFrame) -> pd.DataFrame:
    """Each row as bytes: petastorm stacks arrays, and refuses those of different lengths."""
    return pd.DataFrame({"row": [pickle.dumps(row) for row in group[COLUMNS].itertuples(index=False, name=None)]})
