"""Who competes in the next-place benchmark: the model, its parts alone, and the yardsticks.

Letters: Q queries.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from benchmarks.asked import Asked, together
from benchmarks.measured import measured
from benchmarks.report import ROOT
from chronotope.config import Settings, load_settings
from chronotope.store.models import StoredModel, read_model
from chronotope.train.blend import KINDS, YARDSTICKS, CountBlend, Weights
from chronotope.train.fit import fit
from chronotope.train.refresh import refreshed
from chronotope.train.scorer import SpaceTimeScorer
from chronotope.train.scoring import Catalogue, Scorer
from chronotope.train.tuning import tune

CONF = ROOT / "conf" / "chronotope.yaml"

# The trained models: what each overrides of the settings. A part alone is trained alone.
MODELS: Mapping[str, tuple[str, ...]] = {
    "chronotope": (),
    "lstm_only": ("train.memory=false",),
    "memory_only": ("train.sequence=false",),
}
# Each yardstick breaks its ties by the next weaker evidence, with a weight that moves nothing else.
COUNTED: Mapping[str, Weights] = {
    "user_frequency": YARDSTICKS["user_frequency"],
    "user_frequency_by_time": {"same_hour": 1.0, "frequency": 1e-2, "popular_overall": 1e-4},
    "markov": YARDSTICKS["markov"],
}
BLEND = "count_blend"
NAMES = (*MODELS, BLEND, *COUNTED)

BySlot = Mapping[str, Scorer]  # `known` and `unknown` to who answers such queries


@dataclass(frozen=True)
class Contender:
    """Who answers, once it is told what is counted; and what its training took, where there was one."""

    scorers: Callable[[Catalogue], BySlot]
    took: Mapping[str, float] = field(default_factory=dict)  # seconds and peak_gib, empty where nothing was trained


@dataclass(frozen=True)
class Lessons:
    """What models are trained and tuned on; all of it is train."""

    files: list[Path]  # histories
    catalogue: Catalogue  # counted over all of train
    cut_s: float  # the end of train, epoch seconds
    tail_s: float  # seconds: the last tenth of train lies in the last `tail_s` before the cut
    early: Catalogue  # counted before the last tenth
    last_tenth: Mapping[tuple[str, str], Asked]  # its queries, by (history, slot)
    truths: list[str]  # [Q] what they were


def is_random(name: str) -> bool:
    """Whether another seed gives another contender."""
    return name not in COUNTED


def turn(name: str) -> int:
    """When a contender has its turn: 0 is the model, 1 what only counts, 2 a part of the model alone.

    >>> sorted(NAMES, key=turn)[0], sorted(NAMES, key=turn)[-2:]
    ('chronotope', ['lstm_only', 'memory_only'])
    """
    return 1 if name not in MODELS else 2 if MODELS[name] else 0


def settings_of(name: str, overrides: Sequence[str]) -> Settings:
    """The settings of a contender: the product's, the caller's overrides, and what makes it a part alone."""
    return load_settings(CONF, overrides=[*overrides, *MODELS.get(name, ())])


def contender(name: str, seed: int, lessons: Lessons, overrides: Sequence[str], folder: Path) -> Contender:
    """The contender of a name, trained or tuned where it has to be.

    Args:
        name: one of `NAMES`.
        seed: of training or tuning.
        lessons: all that may be learned from.
        overrides: of the settings, `section.key=value`.
        folder: where a trained model goes.

    """
    if name in COUNTED:
        return Contender(functools.partial(counted_scorers, name))
    if name == BLEND:
        return Contender(functools.partial(blended_scorers, tuned_weights(lessons, seed)))
    took = measured(train, lessons, settings_of(name, overrides), seed, folder)
    cost = {"seconds": round(took.seconds), "peak_gib": round(took.peak_gib, 2)}
    return Contender(functools.partial(trained_scorers, read_model(folder)), cost)


def train(lessons: Lessons, settings: Settings, seed: int, folder: Path) -> None:
    """Train in this process, and leave the model in the folder.

    The last tenth of train decides after how many epochs to stop, and is then learned from too: as many epochs again
    over all of train. Each of the two fits ends after `train.max_minutes`; the second may then have fewer epochs.
    """
    torch.set_num_threads(settings.night.threads)
    trial = folder.with_name(f"{folder.name}-trial")
    fit(lessons.files, lessons.catalogue, settings, lessons.cut_s, lessons.tail_s, trial, seed)
    chosen = settings.train.model_copy(update={"epochs": read_model(trial).about["best_epoch"]})
    whole = settings.model_copy(update={"train": chosen})
    fit(lessons.files, lessons.catalogue, whole, lessons.cut_s, 0.0, folder, seed)


def trained_scorers(model: StoredModel, catalogue: Catalogue) -> BySlot:
    """A trained model that knows what a catalogue counts, as the night refreshes it between trainings."""
    scorer = SpaceTimeScorer.of(refreshed(model, catalogue))
    return {"known": scorer, "unknown": scorer}


def counted_scorers(name: str, catalogue: Catalogue) -> BySlot:
    """A yardstick without anything to tune."""
    scorer = CountBlend(catalogue, dict.fromkeys(KINDS, COUNTED[name]), name)
    return {"known": scorer, "unknown": scorer}


def tuned_weights(lessons: Lessons, seed: int) -> dict[str, Mapping[str, Weights]]:
    """The weights of the count blend when the slot is known and when it is not, tuned on the last tenth of train."""
    kinds = {"known": [("all", "known"), ("night", "known")], "unknown": [("all", "unknown")]}
    return {
        slot: tuned([lessons.last_tenth[kind] for kind in of_slot], lessons, seed) for slot, of_slot in kinds.items()
    }


def tuned(parts: list[Asked], lessons: Lessons, seed: int) -> Mapping[str, Weights]:
    """The weights tuned on all parts' queries, shuffled because tuning reads the first of each kind."""
    order = np.random.default_rng(seed).permutation(len(lessons.truths))
    users, queries = together([part.rows(order) for part in parts]).batch(lessons.early)
    columns = lessons.early.item_index.get_indexer(lessons.truths).astype(np.int64)[order]
    return tune(lessons.early, users, queries, np.tile(columns, len(parts)), seed, BLEND).weights


def blended_scorers(weights: Mapping[str, Mapping[str, Weights]], catalogue: Catalogue) -> BySlot:
    """The count blend with the weights for each kind of query."""
    return {slot: CountBlend(catalogue, chosen, BLEND) for slot, chosen in weights.items()}
