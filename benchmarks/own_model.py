"""The product's own model in leave_one_out: its settings chosen on validation, as those of the peers are.

Letters: U users, N items.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.asked import Asked, scores_of
from benchmarks.held_out import HeldOut
from benchmarks.ranked import ndcg
from benchmarks.ratings import Split
from chronotope.config import load_settings
from chronotope.train.fit import fit
from chronotope.train.histories import STEP_FIELDS
from chronotope.train.past import counted_by
from chronotope.train.scorer import SpaceTimeScorer
from chronotope.train.scoring import Catalogue, Scorer

AS_ASKED = ("train.mask_previous=0", "train.mask_lately=0")  # every query of the test knows all steps before it
# Wider than for check-ins, with less decay and rates that fall slowly: in such logs nobody comes back to an item.
WIDE = ("train.hidden=128", "train.weight_decay=0.05", "train.label_smoothing=0")
SEQUENCE = (*WIDE, "train.memory=false", "train.rate_decay=0.9")
SMALL = ("train.dim=64", "train.batch_size=512")
CHOICES: Mapping[str, Sequence[str]] = {
    "memory": (*WIDE, *SMALL, "train.rate_decay=0.85", "train.epochs=12", "train.max_minutes=20"),
    "sequence": (*SEQUENCE, *SMALL, "train.epochs=15"),
}
# From this many rows on memory is too slow for a benchmark of 45 minutes: at a million, 30 batches of its features
# told of 19 minutes an epoch. The sequence alone takes 92 s. Its settings are those usual for logs of that size: they
# were not tuned, for want of a real one.
LARGE_ROWS = 300_000
LARGE_CHOICES: Mapping[str, Sequence[str]] = {
    "sequence": (
        *SEQUENCE, "train.dim=128", "train.dropout=0.3", "train.batch_size=1024", "train.learning_rate=0.003",
        "train.epochs=30", "train.max_minutes=32",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Own:
    """The model as it was chosen."""

    choice: str
    validation_ndcg: Mapping[str, float]  # NDCG@10 of every choice
    predictions: pd.DataFrame


@dataclass(frozen=True)
class Log:
    """What is known when the test is asked, as stages train and infer read it."""

    files: list[Path]
    catalogue: Catalogue
    histories: pd.DataFrame  # the files' rows


def own(
    parts: Split, log: Log, hide_seen: bool, seeds: Sequence[int], config: Path, overrides: Sequence[str], folder: Path
) -> Own:
    """Train every choice with the first seed, and the one with the best NDCG@10 on validation with the others too."""
    validation, test = HeldOut(parts.train, parts.validation, hide_seen), HeldOut(parts.known, parts.test, hide_seen)
    choices = LARGE_CHOICES if len(parts.known) >= LARGE_ROWS else CHOICES

    settings = {name: load_settings(config, overrides=[*AS_ASKED, *of, *overrides]) for name, of in choices.items()}

    def trained(name: str, seed: int) -> SpaceTimeScorer:
        model = folder / f"{name}-{seed}"
        end_s = end_of(log.histories)
        return fit(log.files, log.catalogue, settings[name], end_s, 0.0, model, seed, validation="last_step")

    models = {name: trained(name, seeds[0]) for name in choices}
    earlier = without_last(log.histories)
    found = {}
    for name, model in models.items():
        then = as_of(earlier, model, settings[name].sessions.gap_s, folder / "earlier.parquet")
        found[name] = float(ndcg(validation.ranks(all_scores(then, earlier, validation))).mean())
    best = max(found, key=lambda name: found[name])
    print(f"chronotope: NDCG@10 on validation {found}, chosen: {best}", flush=True)
    rows = []
    for seed in seeds:
        model = models[best] if seed == seeds[0] else trained(best, seed)
        rows.append(test.predicted("chronotope", seed, all_scores(model, log.histories, test)))
    return Own(best, found, pd.concat(rows))


def without_last(histories: pd.DataFrame) -> pd.DataFrame:
    """The histories without each user's last step."""
    return histories.assign(**{name: [steps[:-1] for steps in histories[name]] for name in STEP_FIELDS})


def end_of(histories: pd.DataFrame) -> float:
    """The second after the last step of histories, of which one at least has a step: epoch seconds."""
    return max(steps[-1] for steps in histories["occurred_at_s"] if len(steps)) + 1.0


def as_of(histories: pd.DataFrame, model: SpaceTimeScorer, gap_s: float, file: Path) -> SpaceTimeScorer:
    """The model with counts of everybody from these histories alone.

    Its catalogue's count the validation items too, and what followed an item only then would give the answer away.
    """
    histories.to_parquet(file)
    counted = counted_by([file], model.catalogue, np.array([end_of(histories)]), gap_s)[-1]
    return SpaceTimeScorer(model.model_id, model.catalogue.as_of(counted), model.model)


def all_scores(scorer: Scorer, known: pd.DataFrame, asked: HeldOut) -> np.ndarray:
    """Every user's score of every item, [U, N] in the order of the held-out items' users and items."""
    column = scorer.catalogue.item_index.get_indexer(asked.items)
    assert (column >= 0).all()
    last_s = np.array([steps[-1] if len(steps) else 0.0 for steps in known["occurred_at_s"]])
    nothing = np.full(len(known), -1, dtype=np.int64)
    found = np.empty((len(asked.users), len(asked.items)), np.float32)
    place = asked.users.get_indexer(known["user_id"])
    for rows, scores in scores_of(scorer, Asked(known, last_s, nothing, np.ones(len(known), dtype=bool))):
        real = place[rows] >= 0
        found[place[rows][real]] = scores[real][:, column]
    return found
