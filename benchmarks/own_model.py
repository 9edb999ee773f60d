"""The product's own model in leave_one_out: its settings chosen on validation, as those of the peers are.

Letters: U users, N items.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.asked import Asked, scores_of
from benchmarks.held_out import HeldOut
from benchmarks.ranked import ndcg
from benchmarks.ratings import Split
from chronotope.config import Settings, load_settings
from chronotope.train.fit import fit
from chronotope.train.histories import STEP_FIELDS
from chronotope.train.past import counted_by
from chronotope.train.scorer import SpaceTimeScorer
from chronotope.train.scoring import Catalogue, Doubles, Ints, Scorer

MOMENTS = 12  # at which it is told what was trending
AS_ASKED = ("train.mask_previous=0", "train.mask_lately=0")  # every query of the test knows all steps before it
# Wider than for check-ins, with less decay and rates that fall slowly: in such logs people hardly come back to an item,
# the order of steps is chance for the most part, and what one likes is told by all that was met.
WIDE = (
    "train.hidden=128", "train.weight_decay=0.05", "train.label_smoothing=0", "train.ahead_share=0.3",
    "train.half_lives_steps=[5, 1000]",
)  # fmt: skip
SEQUENCE = (*WIDE, "train.memory=false", "train.rate_decay=0.9")
SMALL = ("train.dim=64", "train.batch_size=512")
CHOICES: Mapping[str, Sequence[str]] = {
    "memory": (*WIDE, *SMALL, "train.rate_decay=0.85", "train.epochs=12", "train.max_minutes=20"),
    "sequence": (*SEQUENCE, *SMALL, "train.epochs=15"),
}
# From this many rows on memory is too slow for a benchmark of 45 minutes: at a million, 30 batches of its features told
# of 19 minutes an epoch. The sequence alone takes 82 s, by its batches. Its settings are those usual for logs of that
# size; on MovieLens 100K, in batches of 256, half the rate and a Transformer were worse on validation (the latter by
# its loss), and a dropout of 0.2 better by .001 of NDCG@10, which is noise.
LARGE_ROWS = 300_000
LARGE_CHOICES: Mapping[str, Sequence[str]] = {
    "sequence": (
        *SEQUENCE, "train.dim=128", "train.dropout=0.3", "train.batch_size=1024", "train.learning_rate=0.003",
        "train.epochs=30",
    ),
}  # fmt: skip
LARGE_MINUTES = 30  # after the program's start training ends, so that a slow machine's preparation shortens it,
LEAST_MINUTES = 5  # but it has these in any case


@dataclass(frozen=True)
class Own:
    """The model as it was chosen."""

    choice: str
    validation_ndcg: Mapping[str, float]  # NDCG@10 of every choice
    predictions: pd.DataFrame


@dataclass(frozen=True)
class Answering:
    """Who scores the items for some of the users."""

    rows: Ints  # of the histories
    scorer: Scorer


@dataclass(frozen=True)
class Log:
    """What is known when the test is asked, as stages train and infer read it."""

    files: list[Path]
    catalogue: Catalogue
    histories: pd.DataFrame  # the files' rows


def own(
    parts: Split,
    log: Log,
    hide_seen: bool,
    seeds: Sequence[int],
    config: Path,
    overrides: Sequence[str],
    folder: Path,
    started: float,
) -> Own:
    """Train every choice with the first seed, and the one with the best NDCG@10 on validation with the others too."""
    validation, test = HeldOut(parts.train, parts.validation, hide_seen), HeldOut(parts.known, parts.test, hide_seen)
    choices = choices_of(len(parts.known), started)
    settings = {name: settings_of(of, hide_seen, config, overrides) for name, of in choices.items()}

    def trained(name: str, seed: int) -> SpaceTimeScorer:
        model = folder / f"{name}-{seed}"
        end_s = end_of(log.histories)
        return fit(log.files, log.catalogue, settings[name], end_s, 0.0, model, seed, validation="last_step")

    gap_s = settings[next(iter(choices))].sessions.gap_s
    models = {name: trained(name, seeds[0]) for name in choices}
    earlier, file = without_last(log.histories), folder / "earlier.parquet"
    earlier.to_parquet(file)
    found = {}
    for name, model in models.items():
        then = by_moment(as_of(earlier, model, gap_s, file), [file], earlier, gap_s)
        found[name] = float(ndcg(validation.ranks(all_scores(then, earlier, validation))).mean())
    best = max(found, key=lambda name: found[name])
    print(f"chronotope: NDCG@10 on validation {found}, chosen: {best}", flush=True)
    rows = []
    for seed in seeds:
        model = models[best] if seed == seeds[0] else trained(best, seed)
        now = by_moment(model, log.files, log.histories, gap_s)
        rows.append(test.predicted("chronotope", seed, all_scores(now, log.histories, test)))
    return Own(best, found, pd.concat(rows))


def choices_of(n_rows: int, started: float) -> Mapping[str, Sequence[str]]:
    """What is trained on a log of so many rows; on a large one in what is left of `LARGE_MINUTES` since the start.

    Trainings with further seeds have as many minutes as the first.

    Args:
        n_rows: that are known when the test is asked.
        started: when the program did, `time.monotonic`.

    """
    if n_rows < LARGE_ROWS:
        return CHOICES
    left = max(LEAST_MINUTES, LARGE_MINUTES - (time.monotonic() - started) / 60)
    return {name: (*choice, f"train.max_minutes={left:.2f}") for name, choice in LARGE_CHOICES.items()}


def settings_of(choice: Sequence[str], hide_seen: bool, config: Path, overrides: Sequence[str]) -> Settings:
    """The settings of a choice: what is hidden from the rankings is nothing to learn."""
    repeats = f"train.repeats={'false' if hide_seen else 'true'}"
    return load_settings(config, overrides=[*AS_ASKED, repeats, *choice, *overrides])


def without_last(histories: pd.DataFrame) -> pd.DataFrame:
    """The histories without each user's last step."""
    return histories.assign(**{name: [steps[:-1] for steps in histories[name]] for name in STEP_FIELDS})


def end_of(histories: pd.DataFrame) -> float:
    """The second after the last step of histories, of which one at least has a step: epoch seconds."""
    return max(steps[-1] for steps in histories["occurred_at_s"] if len(steps)) + 1.0


def as_of(histories: pd.DataFrame, model: SpaceTimeScorer, gap_s: float, file: Path) -> SpaceTimeScorer:
    """The model with counts of everybody from these histories, which lie in the file, alone.

    Its catalogue's count the validation items too, and what followed an item only then would give the answer away.
    """
    counted = counted_by([file], model.catalogue, np.array([end_of(histories)]), gap_s)[-1]
    return SpaceTimeScorer(model.model_id, model.catalogue.as_of(counted), model.model)


def by_moment(model: SpaceTimeScorer, files: Sequence[Path], known: pd.DataFrame, gap_s: float) -> list[Answering]:
    """The model for each user with what was trending when they were last seen, as training had it.

    Such a log goes on for years after most of its users have left, and what is trending at its end tells them nothing.
    Users are taken together that were last seen at about one time; what else was counted is as of the end.
    """
    seen_s = last_seen_s(known)
    moments = np.unique(np.quantile(seen_s, np.linspace(0, 1, MOMENTS), method="lower"))
    group = np.searchsorted(moments, seen_s, side="right") - 1
    found = []
    for number, counted in enumerate(counted_by(files, model.catalogue, moments, gap_s)[1:]):
        catalogue = replace(model.catalogue, trending=counted.trending)
        found.append(
            Answering(np.flatnonzero(group == number), SpaceTimeScorer(model.model_id, catalogue, model.model))
        )
    return found


def last_seen_s(known: pd.DataFrame) -> Doubles:
    """When each history's last step was, epoch seconds; 0 for one without."""
    return np.array([steps[-1] if len(steps) else 0.0 for steps in known["occurred_at_s"]])


def all_scores(answering: Sequence[Answering], known: pd.DataFrame, asked: HeldOut) -> np.ndarray:
    """Every user's score of every item, [U, N] in the order of the held-out items' users and items."""
    found = np.empty((len(asked.users), len(asked.items)), np.float32)
    place, seen_s = asked.users.get_indexer(known["user_id"]), last_seen_s(known)
    for some in answering:
        column = some.scorer.catalogue.item_index.get_indexer(asked.items)
        assert (column >= 0).all()
        n = len(some.rows)
        queries = Asked(known.iloc[some.rows], seen_s[some.rows], np.full(n, -1), np.ones(n, dtype=bool))
        for rows, scores in scores_of(some.scorer, queries):
            user = place[some.rows[rows]]
            found[user[user >= 0]] = scores[user >= 0][:, column]
    return found
