"""Training examples, read from Parquet batch by batch: windows of histories and the steps to be predicted in them.

Letters: B windows, L steps of a window, R users of the batch, Q queries, A steps ahead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from chronotope.train.batches import users_of
from chronotope.train.kernels import FOLLOWS_S
from chronotope.train.known import known_before
from chronotope.train.loading import Loader, load_parquet
from chronotope.train.scoring import Bools, Catalogue, Ints, Queries, Users

REGION_GIVEN = 0.5  # share of the queries that are told the target's region: lists are made with and without
LATELY_S = 40 * 86_400.0  # a query that does not know the days before its session misses up to so many
MORNING_S = 86_400.0  # a query without previous step knows the history up to some moment in the day before
AHEAD_STEPS = 3  # steps after the truth that may be learned from with it, see `train.ahead_share`


# What padding holds, by field of `Users`.
FILLERS = {
    "item": -1, "action": -1, "region": -1, "at_s": 0.0, "slot": 0,
    "lat": np.nan, "lon": np.nan, "gap_s": np.nan, "distance_m": np.nan,
}  # fmt: skip


@dataclass(frozen=True)
class Period:
    """Which steps are targets: those from `start_s` to before `end_s` (epoch seconds); later steps do not exist.

    Of these each user's last step may be the only target, or not exist either: it then is what validates. Where nobody
    comes back to an item, a step that does is no target, also where it is the last.
    """

    start_s: float
    end_s: float
    steps: Literal["all", "last", "but_last"] = "all"


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
    queries: Queries  # Q, of the windows
    truth: Ints  # [Q] items
    later: Ints  # [Q, A] items of the steps after it, -1 for none and for one that would not be asked for
    whole: Users  # R
    of_whole: Queries  # Q, the same queries of the whole histories


@dataclass(frozen=True)
class Sampling:
    """How windows are cut and what is hidden from the queries."""

    window_steps: int
    batch_queries: int  # about as many are asked together
    hide_previous: float  # share of the queries that do not know the step just before
    hide_lately: float = 0.0  # share of the others that do not know the days before their session
    repeats: bool = True  # whether a step at an item that its user has met before is asked for


def examples(
    files: Sequence[Path],
    catalogue: Catalogue,
    period: Period,
    sampling: Sampling,
    seed: int,
    load: Loader = load_parquet,
) -> Iterator[Examples]:
    """Batches of windows of similar length in seeded order; every target once, and no batch without one.

    Windows are shuffled and sorted by length among the users of a frame of the loader's.

    Args:
        files: Parquet files with rows of `histories`.
        catalogue: items that it does not know are steps, but no targets; where nobody comes back, those that were met
            neither.
        period: whose steps are the targets.
        sampling: window and batch sizes, what is hidden, and whether people come back to items.
        seed: another one gives another order, other hidden steps and regions.
        load: who reads the files.

    """
    random = np.random.default_rng(seed)
    for frame in frames(files, random, load):
        whole = before(users_of(frame, catalogue), period.end_s)
        if period.steps == "but_last":
            whole = shortened(whole, np.maximum(whole.length - 1, 0))
        wanted = whole.item >= 0 if sampling.repeats else first_at_item(whole.item)
        windows = cut(whole, period, sampling.window_steps)
        n_targets = targets_of(windows, wanted)
        windows, n_targets = picked(windows, n_targets > 0), n_targets[n_targets > 0]
        starts, size = session_starts(whole), windows.end - windows.first
        # Windows of about one length side by side; the noise lets different ones meet in every epoch.
        order = np.argsort(size + random.uniform(0, sampling.window_steps / 8, len(size)), kind="stable")
        n_queries = np.cumsum(n_targets[order])
        ends = np.flatnonzero(np.diff(n_queries // sampling.batch_queries, append=np.inf)) + 1
        batches = np.split(order, ends[:-1]) if len(order) else []
        for index in random.permutation(len(batches)):
            yield asked(whole, wanted, starts, picked(windows, batches[index]), sampling, random)


def frames(files: Sequence[Path], random: np.random.Generator, load: Loader) -> Iterator[pd.DataFrame]:
    """The frames of the files in shuffled file order."""
    for index in random.permutation(len(files)):
        yield from load(files[index])


def before(users: Users, end_s: float) -> Users:
    """The same users without what happened from `end_s` on."""
    real = np.arange(users.at_s.shape[1]) < users.length[:, None]
    return shortened(users, (real & (users.at_s < end_s)).sum(axis=1))


def shortened(users: Users, length: Ints) -> Users:
    """The same users with their first `length` [B] steps only."""
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
    if period.steps == "last":
        target = np.maximum(target, users.length[row] - 1)
    keep = (target < end) & (last_s >= period.start_s)
    return Windows(row[keep], first[keep], target[keep], end[keep])


def targets_of(windows: Windows, wanted: Bools) -> Ints:
    """How many steps of each window are to be predicted and `wanted` [R, L]."""
    sums = np.pad(np.cumsum(wanted, axis=1), ((0, 0), (1, 0)))  # [R, 1 + L]
    n_targets: Ints = sums[windows.row, windows.end] - sums[windows.row, windows.target]
    return n_targets


def picked(windows: Windows, chosen: Ints | Bools) -> Windows:
    """Some of the windows."""
    return Windows(*(getattr(windows, name)[chosen] for name in ("row", "first", "target", "end")))


def asked(
    whole: Users, wanted: Bools, starts: Ints, windows: Windows, sampling: Sampling, random: np.random.Generator
) -> Examples:
    """One query for every target of the windows that is `wanted` [R, L]: whose item is known, and may be asked for.

    A share `hide_previous` of them is asked as a list made before the day is: the known history ends at a random
    moment of the day before the target, and whether a step came in between is not told. Of the others, all that have
    no clock do not know their own time but only that of the step before, and a share `hide_lately` knows its session,
    and what happened up to `LATELY_S` before it, but not what lies between: as lists that are some weeks old when the
    session begins. The target's region is told to a share `REGION_GIVEN`.
    `starts` are the `session_starts` of the histories.
    """
    first = windows.first
    users = replaced(whole, windows.row, first, windows.end)
    targets = np.arange(users.item.shape[1]) >= (windows.target - first)[:, None]
    user, step = np.nonzero(targets & (users.item >= 0))
    step = step + first[user]  # from here on of the whole histories
    kept = wanted[windows.row[user], step]
    user, step = user[kept], step[kept]
    row, n = windows.row[user], len(user)
    at_s, slot = whole.at_s[row, step], whole.slot[row, step]
    hidden = random.random(n) < sampling.hide_previous
    by_night = known_before(whole, row, at_s - random.uniform(0, MORNING_S, n))
    told = ~hidden & (step > 0)
    untimed = told & (slot < 0)
    start = starts[row, step]
    stale_s = whole.at_s[row, start] - random.uniform(0, LATELY_S, n)
    stale = told & (start < step) & (random.random(n) < sampling.hide_lately)
    known = np.where(hidden, np.minimum(by_night, step), step)
    queries = Queries(
        user=row,
        known_steps=known,
        at_s=np.where(untimed, whole.at_s[row, np.maximum(step - 1, 0)], at_s),
        slot=slot,
        region=np.where(random.random(n) < REGION_GIVEN, whole.region[row, step], -1),
        previous_known=told,
        hidden_from=np.where(stale, np.minimum(known_before(whole, row, stale_s), start), 0),
        hidden_to=np.where(stale, start, 0),
    )
    windowed, later = of_windows(queries, user, first[user]), items_after(whole, wanted, row, step)
    return Examples(users, windowed, whole.item[row, step], later, *trimmed(whole, queries))


def items_after(whole: Users, wanted: Bools, row: Ints, step: Ints) -> Ints:
    """The items of the `AHEAD_STEPS` steps after the given ones [Q] of rows [Q], whenever those come: [Q, A].

    -1 where the history has ended, or the step is not `wanted` [R, L].
    """
    after = step[:, None] + 1 + np.arange(AHEAD_STEPS)
    there = after < whole.length[row, None]
    at = (row[:, None], np.where(there, after, 0))
    items: Ints = np.where(there & wanted[at], whole.item[at], -1)
    return items


def of_windows(queries: Queries, window: Ints, first: Ints) -> Queries:
    """Queries of whole histories as queries of windows [Q] that begin at the steps `first` [Q]."""
    counted_in_steps = ("known_steps", "hidden_from", "hidden_to")
    moved = {name: np.maximum(getattr(queries, name) - first, 0) for name in counted_in_steps}
    return replace(queries, user=window, **moved)


def trimmed(whole: Users, queries: Queries) -> tuple[Users, Queries]:
    """The users that are asked about, without steps that none of the queries knows."""
    rows, user = np.unique(queries.user, return_inverse=True)
    end = np.zeros(len(rows), np.int64)
    np.maximum.at(end, user, queries.known_steps)
    return replaced(whole, rows, np.zeros_like(end), end), replace(queries, user=user)


def first_at_item(item: Ints) -> Bools:
    """Which steps [R, L] are their users' first ones at an item; padding (-1) is none.

    >>> first_at_item(np.array([[7, 3, 7, 3], [3, 3, 7, -1]])).tolist()
    [[True, True, False, False], [True, False, True, False]]
    """
    keys = np.arange(len(item))[:, None] * (item.max(initial=0) + 2) + item + 1
    first = np.zeros(item.size, dtype=bool)
    first[np.unique(keys, return_index=True)[1]] = True
    return first.reshape(item.shape) & (item >= 0)


def session_starts(whole: Users) -> Ints:
    """The step that began each step's session [R, L]: the last one that came more than a day after the one before."""
    starts = ~(np.nan_to_num(whole.gap_s, nan=np.inf) <= FOLLOWS_S)
    steps: Ints = np.maximum.accumulate(np.where(starts, np.arange(starts.shape[1]), 0), axis=1)
    return steps
