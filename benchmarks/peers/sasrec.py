"""RecTools' SASRec (Kang and McAuley, ICDM 2018) with the softmax over all items, on the processor."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from pytorch_lightning import Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

from benchmarks.peers.history import History

USERS_AT_ONCE = 256  # RecTools answers with one row per user and item
UNKNOWN = -1e4  # the score of an item that only users of one step met, which RecTools does not learn from


def scores(history: History, settings: Sequence[Mapping[str, Any]], seed: int) -> Iterator[np.ndarray]:
    """Every user's score of every item, [U, N], for each of the settings: the constructor's arguments.

    Settings side by side that differ in `epochs` only, ascending, are one training that is looked at on the way.
    """
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    dataset = Dataset.construct(interactions(history))
    for _, group in groupby(settings, key=lambda chosen: {**chosen, "epochs": None}):
        seed_everything(seed)
        trained, model = 0, None
        for chosen in group:
            model = model or SASRecModel(**chosen, loss="softmax", get_trainer_func=trainer)
            more = chosen["epochs"] - trained
            model.fit_partial(dataset, min_epochs=more, max_epochs=more)
            trained = chosen["epochs"]
            yield all_scores(model, dataset, history)


def trainer() -> Trainer:
    """A trainer that writes nothing."""
    return Trainer(
        accelerator="cpu", max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip


def interactions(history: History) -> pd.DataFrame:
    """The steps as RecTools reads them, a second apart: their order is kept, also of steps that had one time."""
    at = pd.Timestamp(0) + pd.to_timedelta(np.arange(len(history.user)), unit="s")
    named = {Columns.User: history.user, Columns.Item: history.item, Columns.Weight: 1.0, Columns.Datetime: at}
    return pd.DataFrame(named)


def all_scores(model: SASRecModel, dataset: Dataset, history: History) -> np.ndarray:
    """Every user's score of every item, [U, N]."""
    n_users, n_items = history.shape
    found = np.full((n_users, n_items), UNKNOWN, np.float32)
    for start in range(0, n_users, USERS_AT_ONCE):
        users = np.arange(start, min(start + USERS_AT_ONCE, n_users))
        told = model.recommend(users, dataset, k=n_items, filter_viewed=False)
        found[told[Columns.User], told[Columns.Item]] = told[Columns.Score]
    return found
