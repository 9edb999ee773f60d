"""The models that meet on a night's held-out tail, each in a folder, none of them knowing anything of the tail."""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from chronotope.config import Settings
from chronotope.embed.device import task_device
from chronotope.embed.weights import model_name
from chronotope.errors import ModelError
from chronotope.infer.workers import save_counts, scorer_of
from chronotope.store.models import StoredModel, read_model, write_model
from chronotope.train.blend import CountBlend
from chronotope.train.contest import Contest, tuned
from chronotope.train.fit import fit
from chronotope.train.refresh import refreshed
from chronotope.train.scoring import Catalogue

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Known:
    """What the models may learn from."""

    early: Catalogue | None  # as of the start of the days that are tuned on
    then: Catalogue  # as of the cut
    files: Sequence[Path]  # Parquet files with rows of `histories`
    sample: pd.DataFrame  # some of the histories


def candidates(of: Contest, known: Known, settings: Settings, models_dir: Path, scratch: Path) -> dict[str, Path]:
    """Make the night's models: model_id to folder. The count model is among them, always; the new one if due.

    The recent model stands again unless it learned to read another encoder's vectors, is of another version of the
    code, or cannot be read: a night after an upgrade must not end with last night's model.

    Args:
        of: which models there are.
        known: what they may learn from.
        settings: all of them.
        models_dir: where new models are kept, one folder each; paths of recent ones are below its parent.
        scratch: a folder for the recent model on the catalogue of the cut.

    """
    folders = {of.counts: models_dir / of.counts}
    weights = tuned(known.sample, known.early, of, settings)
    save_counts(CountBlend(known.then, weights, of.counts, settings.train.repeats), folders[of.counts])
    if of.recent and of.recent_path:
        try:
            recent = usable(read_model(models_dir.parent / of.recent_path), settings, of.cut)
        except ModelError as error:
            log.warning("%s does not stand again: %s", of.recent, error)
        else:
            folders[of.recent] = scratch / "recent"
            write_model(folders[of.recent], refreshed(recent, known.then))
    if of.new:
        folders[of.new] = models_dir / of.new
        fit(
            known.files, known.then, settings, of.cut.timestamp(), (of.cut - of.tuning_from).total_seconds(),
            folders[of.new], settings.night.seed, task_device(settings.infer.device, "infer.device"),
        )  # fmt: skip
    return folders


def usable(stored: StoredModel, settings: Settings, cut: dt.datetime) -> StoredModel:
    """The model, if it can score tonight, and has not learned from what happened since the cut.

    Raises:
        ModelError: when it cannot.

    """
    encoder = model_name(settings.embed)
    if (reads := stored.about.get("encoder", encoder)) != encoder:
        raise ModelError(f"it reads vectors of {reads}")
    if stored.about.get("cut_s", -math.inf) > cut.timestamp():
        raise ModelError("it has learned from days that models are judged by tonight, for train.tail_days is longer")
    scorer_of(stored, "cpu")
    return stored
