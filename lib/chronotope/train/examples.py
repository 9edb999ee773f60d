"""Training examples, read from Parquet batch by batch: windows of histories and the steps to be predicted in them.

Letters: B windows, L steps of a window, R users of the batch, Q queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from chronotope.train.batches import users_of
from chronotope.train.scoring import Catalogue, Ints, Queries, Users

READ_USERS = 512  # users in memory at a time; windows are shuffled and sorted by length among them
REGION_GIVEN = 0.5  # share of the queries that are told the target's region: lists are made with and without
MORNING_S = 86_400.0  # a query without previous step knows the history up to some moment in the day before


# What padding holds, by field of `Users`.
FILLERS = {
    "item": -1, "action": -1, "region": -1, "at_s": 0.0, "slot": 0,
    "lat": np.nan, "lon": np.nan, "gap_s": np.nan, "distance_m": np.nan,
}  # fmt: skip


@dataclass(frozen=True)
class Period:
    """Which steps are targets: those from `start_s` to before `end_s` (epoch seconds); later steps do not exist."""

    start_s: float
    end_s: float


@dataclass(frozen=True)
class Windows:
    """Stretches of histories: steps first to before end of a row, those from `target` on are to be predicted."""

    row: Ints
    first: Ints
    target: Ints
    end: Ints


@dataclass(frozen=True)
class Examples:
    """Windows with their queries, and the whole histories that the windows are from."""

    users: Users  # B
    queries: Queries  # Q
    truth: Ints  # [Q] items
    whole: Users  # R
    row: Ints  # [B] row of each window in `whole`


@dataclass(frozen=True)
class Sampling:
    """How windows are cut and what is hidden from the queries."""

    window_steps: int
    batch_windows: int
    hide_previous: float


def examples(
    files: Sequence[Path], catalogue: Catalogue, period: Period, sampling: Sampling, seed: int
) -> Iterator[Examples]:
    """Batches of windows of similar length in seeded order; every target once.

    Args:
        files: Parquet files with rows of `histories`; at most `READ_USERS` rows are in memory at a time.
        catalogue: items that it does not know are steps, but no targets.
        period: whose steps are the targets.
        sampling: window and batch sizes, share of queries whose previous step is hidden.
        seed: another one gives another order, other hidden steps and regions.

    """
    random = np.random.default_rng(seed)
    for frame in frames(files, random):
        whole = before(users_of(frame, catalogue), period.end_s)
        windows = cut(whole, period, sampling.window_steps)
        size = windows.end - windows.first
        # Windows of about one length side by side; the noise lets different ones meet in every epoch.
        order = np.argsort(size + random.uniform(0, sampling.window_steps / 8, len(size)), kind="stable")
        starts = np.arange(0, len(order), sampling.batch_windows)
        for start in random.permutation(starts):
            chosen = order[start : start + sampling.batch_windows]
            batch = Windows(*(getattr(windows, name)[chosen] for name in ("row", "first", "target", "end")))
            yield asked(whole, batch, sampling.hide_previous, random)


def frames(files: Sequence[Path], random: np.random.Generator) -> Iterator[pd.DataFrame]:
    """The rows of the files in shuffled file order, at most `READ_USERS` at a time."""
    for index in random.permutation(len(files)):
        with pq.ParquetFile(files[index]) as file:
            for batch in file.iter_batches(batch_size=READ_USERS):
                yield batch.to_pandas()


def before(users: Users, end_s: float) -> Users:
    """The same users without what happened from `end_s` on."""
    real = np.arange(users.at_s.shape[1]) < users.length[:, None]
    length = (real & (users.at_s < end_s)).sum(axis=1)
    return replaced(users, np.arange(len(length)), np.zeros_like(length), length)


def replaced(users: Users, row: Ints, first: Ints, end: Ints) -> Users:
    """The steps from `first` to before `end` of the given rows, padded anew."""
    length = end - first
    place = np.arange(length.max(initial=0))
    real = place < length[:, None]
    step = np.where(real, first[:, None] + place, 0)

    def taken(steps: Any, filler: float) -> Any:
        if steps.shape[1] == 0:
            return steps[row]
        return np.where(real, steps[row[:, None], step], np.asarray(filler, dtype=steps.dtype))

    arrays = {name: taken(getattr(users, name), filler) for name, filler in FILLERS.items()}
    return Users(user_ids=[users.user_ids[r] for r in row], length=length, **arrays)


def cut(users: Users, period: Period, steps: int) -> Windows:
    """Cut every history into windows of at most `steps` steps that overlap by half.

    The first window of a user predicts all its steps, later ones the half that the one before has not reached, so
    every step is a target of one window and has at least half a window before it, or the history's start. Windows
    whose targets are all before `period.start_s` are left out.
    """
    half = max(1, steps // 2)
    more = np.maximum(0, -(-(users.length - steps) // half))  # windows after a user's first
    row = np.repeat(np.arange(len(users.length)), 1 + more)
    turn = np.arange(len(row)) - np.repeat(np.cumsum(1 + more) - 1 - more, 1 + more)
    first = turn * half
    end = np.minimum(first + steps, users.length[row])
    target = np.where(turn == 0, 0, first + steps - half)
    last_s = users.at_s[row, np.maximum(end - 1, 0)] if len(row) and users.at_s.shape[1] else np.zeros(len(row))
    early = np.array([np.searchsorted(users.at_s[r, :n], period.start_s) for r, n in zip(row, end, strict=True)])
    target = np.maximum(target, early.astype(np.int64)) if len(row) else target
    keep = (target < end) & (last_s >= period.start_s)
    return Windows(row[keep], first[keep], target[keep], end[keep])


def asked(whole: Users, windows: Windows, hide_previous: float, random: np.random.Generator) -> Examples:
    """One query for every target of the windows whose item the catalogue knows.

    A share `hide_previous` of them is asked as a list made before the day is: the known history ends at a random
    moment of the day before the target, and whether a step came in between is not told. The target's region is told
    to a share `REGION_GIVEN`.
    """
    users = replaced(whole, windows.row, windows.first, windows.end)
    targets = np.arange(users.item.shape[1]) >= (windows.target - windows.first)[:, None]
    user, step = np.nonzero(targets & (users.item >= 0))
    at_s = users.at_s[user, step]
    hidden = random.random(len(user)) < hide_previous
    night_s = at_s - random.uniform(0, MORNING_S, len(user))
    real = np.arange(users.item.shape[1]) < users.length[:, None]
    by_night = ((users.at_s[user] < night_s[:, None]) & real[user]).sum(axis=1)
    told = random.random(len(user)) < REGION_GIVEN
    queries = Queries(
        user=user,
        known_steps=np.where(hidden, np.minimum(by_night, step), step),
        at_s=at_s,
        slot=users.slot[user, step],
        region=np.where(told, users.region[user, step], -1),
        previous_known=~hidden & (step > 0),
    )
    return Examples(users, queries, users.item[user, step], whole, windows.row)


def before_in_session(whole: Users, gap_s: float) -> Ints:
    """The item before each step [R, L]; -2 where a longer gap than `gap_s`, or nothing, lies before it."""
    previous = np.full_like(whole.item, -2)
    previous[:, 1:] = whole.item[:, :-1]
    together = np.nan_to_num(whole.gap_s, nan=np.inf) <= gap_s
    return np.where(together & (whole.item >= 0), previous, -2)
