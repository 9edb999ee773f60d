"""Training of the space-time model: epochs over Parquet files, early stopping on the last days before the cut."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch

from chronotope.config import Settings
from chronotope.embed.weights import model_name
from chronotope.errors import DataError
from chronotope.store.models import read_tensors, staged, write_bytes, write_tensors
from chronotope.train.curve import loss_curve
from chronotope.train.examples import Period
from chronotope.train.loading import loader_of
from chronotope.train.past import eras
from chronotope.train.scorer import SpaceTimeScorer
from chronotope.train.scoring import Catalogue
from chronotope.train.space_time import SpaceTime
from chronotope.train.tables import item_tables
from chronotope.train.trainer import Course, Trainer

log = logging.getLogger(__name__)

CHECKPOINT, CURVE = "checkpoint.safetensors", "loss.png"
LEAST_GAIN = 1e-4  # nats: less is no progress


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to: mean cross-entropy (nats per step) before and after the validation cut."""

    number: int  # from 1
    train_loss: float
    validation_loss: float
    seconds: float


def fit(
    files: Sequence[Path],
    catalogue: Catalogue,
    settings: Settings,
    cut_s: float,
    tail_s: float,
    folder: Path,
    seed: int,
    device: str = "cpu",
    validation: Literal["tail", "last_step"] = "tail",
) -> SpaceTimeScorer:
    """Train a space-time model and leave it in `folder`, whose name becomes the model's id.

    The same files, settings and seed give the same model on the same machine with as many threads, unless
    `train.max_minutes` ends it.
    The best epoch so far lies in a folder beside `folder`, which takes its name at the end: a training that was
    killed leaves an older model as it was. The loss curve is saved with the model as `loss.png`.

    Args:
        files: Parquet files with rows of `chronotope.train.histories.histories`.
        catalogue: what was counted before `cut_s`.
        settings: sections train, interest, sessions; section embed gives the encoder that the model can read.
        cut_s: epoch seconds; no step from then on is read.
        tail_s: the last seconds before the cut, whose steps decide when to stop and are not learned from. Where
            they hold no step, the training loss decides.
        folder: where the model goes.
        seed: of initial weights, order, dropout, and what is hidden from the queries.
        device: name of a torch device.
        validation: what decides when to stop: the tail, or each user's last step before the cut, whenever that was.

    Raises:
        DataError: when there is no step to learn from.
        UsageError: when `train.loader` cannot be used here; nothing was read or written then.

    """
    load = loader_of(settings.train.loader)
    training, validating = Period(-math.inf, cut_s - tail_s), Period(cut_s - tail_s, cut_s)
    if validation == "last_step":
        training, validating = Period(-math.inf, cut_s, "but_last"), Period(-math.inf, cut_s, "last")
    course = Course(files, catalogue, settings, training, validating, load)
    half_lives = (settings.interest.half_life_long_days, settings.interest.half_life_short_days)
    with staged(folder) as beside, torch.random.fork_rng():
        torch.manual_seed(seed)
        known = eras(files, catalogue, cut_s - tail_s, settings.sessions.gap_s, load)
        tables = item_tables(catalogue, torch.device(device), known)
        model = SpaceTime(catalogue, tables, settings.train, half_lives).to(device)
        epochs = keep_best(Trainer(course, model, tables, seed), settings, beside / CHECKPOINT)
        model.load_state_dict(read_tensors(beside / CHECKPOINT))
        best = best_of(epochs)
        curve = loss_curve([e.train_loss for e in epochs], [e.validation_loss for e in epochs], best.number)
        write_bytes(beside / CURVE, curve)
        scorer = SpaceTimeScorer(folder.name, catalogue, model, device)
        history = [asdict(epoch) for epoch in epochs]
        about = {"settings": settings.train.model_dump(), "encoder": model_name(settings.embed), "cut_s": cut_s}
        scorer.save(beside, {**about, "epochs": history, "best_epoch": best.number})
        (beside / CHECKPOINT).unlink()
    return scorer


def keep_best(trainer: Trainer, settings: Settings, checkpoint: Path) -> list[Epoch]:
    """Train until no epoch has been better for `patience` epochs; the weights of the best are in the checkpoint.

    Raises:
        DataError: when there is no step to learn from.

    """
    done: list[Epoch] = []
    for epoch in run_epochs(trainer, settings):
        if not math.isfinite(epoch.train_loss):
            raise DataError(
                f"training loss is {epoch.train_loss}: no step to learn from before the validation days "
                "(load a longer history), or train.learning_rate is too high"
            )
        done.append(epoch)
        if best_of(done) is epoch:
            write_tensors(checkpoint, trainer.kept.state_dict())
        elif epoch.number - best_of(done).number >= settings.train.patience:
            break
    return done


def run_epochs(trainer: Trainer, settings: Settings) -> Iterator[Epoch]:
    """One epoch after the other, up to `train.epochs`; the one in which `train.max_minutes` are over is the last."""
    ends = time.monotonic() + 60 * settings.train.max_minutes
    trainer.measure()
    for number in range(1, settings.train.epochs + 1):
        begun = time.monotonic()
        train_loss = trainer.train(number, ends)
        validation_loss = trainer.validate()
        if math.isnan(validation_loss):
            validation_loss = train_loss
        epoch = Epoch(number, train_loss, validation_loss, time.monotonic() - begun)
        log.info("epoch %d: loss %.4f, validation %.4f, %.1f s", *asdict(epoch).values())
        yield epoch
        if time.monotonic() >= ends:
            log.warning("train.max_minutes is over: training ends in epoch %d", number)
            return


def best_of(epochs: Sequence[Epoch]) -> Epoch:
    """The epoch with the lowest validation loss; a later one has to be better by `LEAST_GAIN` nats.

    >>> best_of([Epoch(1, 3.0, 2.0, 1.0), Epoch(2, 2.0, 1.99999, 1.0), Epoch(3, 2.0, 2.5, 1.0)]).number
    1
    """
    best = epochs[0]
    for epoch in epochs[1:]:
        if epoch.validation_loss < best.validation_loss - LEAST_GAIN:
            best = epoch
    return best
