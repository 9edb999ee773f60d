"""Where each user stands: the table `user_states`.

Letters: B users, D size of a state, E size of a text embedding.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.embed.frames import as_lists
from chronotope.infer.workers import on_worker, to_workers
from chronotope.tables.states import USER_STATES
from chronotope.train.batches import by_length, users_of
from chronotope.train.histories import STEP_FIELDS
from chronotope.train.scoring import Floats, Queries, Scorer, Users

READ_FIELDS = [field for field in STEP_FIELDS if field != "event_id"]
SCHEMA = "user_id string, model string, as_of_s double, state array<float>, long array<float>, short array<float>"


def user_states(
    histories: DataFrame, load_scorer: Callable[[], Scorer], settings: Settings, night: dt.date
) -> DataFrame:
    """The rows of the table `user_states`, one per user of `histories`.

    `state`, `long` and `short` side by side are what the model's `encode` gives after the user's last step; all
    three are empty for a model without states, and `long` and `short` for one that keeps no means of texts.

    Args:
        histories: rows of `chronotope.train.histories.histories`; users without a step are left out.
        load_scorer: loads the model, once per Python worker; it is pickled, and must not hold the model itself.
        settings: section infer.
        night: the partition.

    """
    batch_states = functools.partial(states_of, to_workers(load_scorer), settings.infer.batch_users)
    known = histories.where(F.size("item_id") > 0).select("user_id", *READ_FIELDS)
    states = known.mapInArrow(batch_states, SCHEMA)
    as_of = F.timestamp_micros(F.round(F.col("as_of_s") * 1e6).cast("bigint"))
    return USER_STATES.conform(states.withColumns({"as_of": as_of, "night": F.lit(night)}).drop("as_of_s"))


def states_of(load: bytes, batch_users: int, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The states of all rows of the batches, users of similar length side by side; for `mapInArrow`.

    Arrow, not pandas: hundreds of numbers of each user would become a Python list on the way out.
    """
    scorer = on_worker(load)
    for frame in by_length((batch.to_pandas() for batch in batches), batch_users):
        users = users_of(frame, scorer.catalogue)
        states = scorer.encode(users, at_the_end(users))
        parts = split(states, scorer.catalogue.embedding.shape[1])
        last_s = users.at_s[np.arange(len(users.length)), users.length - 1]
        columns = [pa.array(users.user_ids, pa.string()), pa.array([scorer.model_id] * len(last_s)), pa.array(last_s)]
        columns += [as_lists(values) for values in parts.values()]
        yield pa.RecordBatch.from_arrays(columns, names=["user_id", "model", "as_of_s", *parts])


def at_the_end(users: Users) -> Queries:
    """One query per user that knows the whole history; time and place do not matter to a state."""
    n = len(users.user_ids)
    return Queries(
        user=np.arange(n), known_steps=users.length, at_s=users.at_s.max(axis=1, initial=0.0),
        slot=np.zeros(n, np.int64), region=np.full(n, -1), previous_known=np.zeros(n, bool),
    )  # fmt: skip


def split(states: Floats, embedding_size: int) -> dict[str, Floats]:
    """States [B, D] as `state`, `long` and `short`: the last two of size E where D has room for them.

    >>> {name: part.shape for name, part in split(np.zeros((2, 10), np.float32), 3).items()}
    {'state': (2, 4), 'long': (2, 3), 'short': (2, 3)}
    """
    size = embedding_size if states.shape[1] > 2 * embedding_size else 0
    ends = [states.shape[1] - 2 * size, states.shape[1] - size]
    return dict(zip(("state", "long", "short"), np.split(states, ends, axis=1), strict=True))
