"""The model in a Python worker: loaded once, kept for all tasks that run there."""

from __future__ import annotations

import functools
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from pyspark import cloudpickle

from chronotope.embed.device import task_device
from chronotope.errors import ModelError
from chronotope.store.models import StoredModel, read_model, write_model
from chronotope.train.blend import CountBlend
from chronotope.train.scorer import KIND, SpaceTimeScorer
from chronotope.train.scoring import Scorer

log = logging.getLogger(__name__)

COUNTS_KIND = "counts"


def load_scorer(folder: Path, device: Literal["auto", "cpu", "cuda"], threads: int) -> Scorer:
    """The model in a folder, of whatever kind, ready to score in this process.

    Args:
        folder: what `SpaceTimeScorer.save` or `save_counts` wrote.
        device: `infer.device`; `auto` takes the GPU that Spark gave the task, if any.
        threads: torch threads of this process.

    Raises:
        ModelError: when the folder holds no model that this version knows.
        DeviceError: when the device is not there.

    """
    torch.set_num_threads(threads)
    return scorer_of(read_model(folder), task_device(device, "infer.device"))


def scorer_of(stored: StoredModel, device: str) -> Scorer:
    """A stored model, of whatever kind, ready to score on a torch device.

    Raises:
        ModelError: when this version does not know such a model.

    """
    kind = stored.about.get("kind")
    if kind == KIND:
        return SpaceTimeScorer.of(stored, device)
    if kind == COUNTS_KIND:
        try:
            return CountBlend.from_dict(stored.about["blend"], stored.catalogue)
        except KeyError as error:
            raise ModelError(f"the count model's description lacks {error}: run stage train again") from error
    raise ModelError(f"model {stored.about.get('model_id')} is of unknown kind {kind!r}: run stage train again")


def is_usable(folder: Path) -> bool:
    """Whether there is a model in the folder that this version can score with; a warning says why not."""
    try:
        scorer_of(read_model(folder), "cpu")
    except ModelError as error:
        log.warning("%s", error)
        return False
    return True


def save_counts(blend: CountBlend, folder: Path) -> None:
    """Write a count model into a folder; `load_scorer` reads it."""
    about = {"kind": COUNTS_KIND, "model_id": blend.model_id, "blend": blend.to_dict()}
    write_model(folder, StoredModel(about, {}, blend.catalogue))


def to_workers(load: Callable[[], Scorer]) -> bytes:
    """What `on_worker` needs to load the model; the loader may be a lambda or a local function, and holds no model."""
    to_bytes: Callable[[object], bytes] = cloudpickle.dumps  # plain pickle knows no lambdas
    return to_bytes(load)


@functools.lru_cache(maxsize=1)
def on_worker(load: bytes) -> Scorer:
    """The model of a pickled loader; the last one is kept, for a Python worker runs many tasks."""
    scorer: Scorer = pickle.loads(load)()
    return scorer
