"""What everybody had done by earlier moments: the counts that training queries may read.

Letters: N items, E eras, R regions, D dayparts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import sparse

from chronotope.train.batches import users_of
from chronotope.train.loading import Loader, load_parquet
from chronotope.train.scoring import MOST_FOLLOWERS, TRENDING_DAYS, Bools, Catalogue, Counted, Doubles, Ints, Users

TRENDING_S = 86_400 * TRENDING_DAYS
MOST_TIMES = 2**24  # times of steps that are held to find quantiles of: 128 MiB; of more, every second one, or fourth
MOST_ERAS = 12  # moments counted at: more of them are fresher counts, and as many times the memory


def eras(
    files: Sequence[Path], catalogue: Catalogue, end_s: float, gap_s: float, load: Loader = load_parquet
) -> list[Counted]:
    """What had been counted by `MOST_ERAS` moments up to `end_s`, between which about as many events lie, in order.

    Before all of them comes an era in which nothing had been: else the earliest queries would read their own answers.

    Args:
        files: Parquet files with rows of `chronotope.train.histories.histories`.
        catalogue: whose items, regions and dayparts are counted.
        end_s: epoch seconds of the last moment, finite; nothing from then on is counted.
        gap_s: a step that comes later than this after the one before does not follow it.
        load: who reads the files.

    """
    return counted_by(files, catalogue, spread(files, catalogue, end_s, load), gap_s, load)


def counted_by(
    files: Sequence[Path], catalogue: Catalogue, moments: Doubles, gap_s: float, load: Loader = load_parquet
) -> list[Counted]:
    """What had been counted by each moment, after an era in which nothing had been.

    Args:
        files: Parquet files with rows of `chronotope.train.histories.histories`.
        catalogue: whose items, regions and dayparts are counted.
        moments: [M] epoch seconds, ascending; what happened at a moment, or later, is not counted by it.
        gap_s: a step that comes later than this after the one before does not follow it.
        load: who reads the files.

    """
    rows, n_items = catalogue.popularity.shape
    heights = (rows, n_items, 1, 1)  # of an era in popularity, transitions, visitors, trending
    sums = [Sum((len(moments) * height, n_items)) for height in heights]
    for users in histories(files, catalogue, load):
        for of, more in zip(sums, counted(users, catalogue, moments, gap_s), strict=True):
            of.add(more)
    totals = [of.total() for of in sums]
    so_far = [sparse.csr_matrix((height, n_items)) for height in heights]
    found = [as_of(-np.inf, so_far)]
    for era, moment in enumerate(moments):
        added = [total[era * height : (era + 1) * height] for total, height in zip(totals, heights, strict=True)]
        *lasting, trending = so_far
        so_far = [*lasting, trending * halved(moment - found[-1].from_s)]
        so_far = [total + more for total, more in zip(so_far, added, strict=True)]
        found.append(as_of(float(moment), so_far))
    return found


class Sum:
    """The sum of many sparse matrices of one shape, which costs what their entries cost, however many they are."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.so_far = sparse.csr_matrix(shape)
        self.waiting: list[sparse.coo_matrix] = []  # a CSR's row pointers would outweigh its few entries

    def add(self, more: sparse.csr_matrix) -> None:
        """Add a matrix; with as many entries waiting as are summed already, they are summed."""
        self.waiting.append(more.tocoo())
        if sum(of.nnz for of in self.waiting) > self.so_far.nnz:
            self.total()

    def total(self) -> sparse.csr_matrix:
        """The sum of all that was added."""
        parts = [self.so_far.tocoo(), *self.waiting]
        data, row, col = (np.concatenate([getattr(of, name) for of in parts]) for name in ("data", "row", "col"))
        self.so_far, self.waiting = sparse.coo_matrix((data, (row, col)), shape=self.so_far.shape).tocsr(), []
        return self.so_far


def as_of(moment: float, totals: Sequence[sparse.csr_matrix]) -> Counted:
    """Popularity, transitions, visitors [1, N] and what is trending [1, N], as counted by a moment."""
    popularity, transitions, visitors, trending = (total.astype(np.float32).tocsr() for total in totals)
    return Counted(
        moment, popularity, largest_of_rows(transitions, MOST_FOLLOWERS), visitors.toarray()[0], trending.toarray()[0]
    )


def largest_of_rows(counts: sparse.csr_matrix, most: int) -> sparse.csr_matrix:
    """The `most` largest entries of each row, ties by column; the others become absent."""
    entries = counts.tocoo()
    order = np.lexsort((entries.col, -entries.data, entries.row))
    row = entries.row[order]
    kept = order[np.arange(len(row)) - np.searchsorted(row, row) < most]
    return sparse.csr_matrix((entries.data[kept], (entries.row[kept], entries.col[kept])), shape=counts.shape)


def halved(age_s: npt.ArrayLike) -> Doubles:
    """What events of those ages, or what was counted so long ago, count among what is trending."""
    left: Doubles = np.exp2(-np.asarray(age_s, dtype=np.float64) / TRENDING_S)
    return left


def histories(files: Sequence[Path], catalogue: Catalogue, load: Loader) -> Iterator[Users]:
    """The histories of the files, some users at a time."""
    for path in files:
        for frame in load(path):
            yield users_of(frame, catalogue)


def spread(files: Sequence[Path], catalogue: Catalogue, end_s: float, load: Loader) -> Doubles:
    """At most `MOST_ERAS` moments, ascending, the last of them `end_s`: quantiles of the steps' times before it."""
    held, every = [np.empty(0)], 1  # of many times every second one in their order, or fourth, lies as all of them do
    for users in histories(files, catalogue, load):
        held.append(np.sort(users.at_s[real(users)])[every // 2 :: every])
        if sum(map(len, held)) > MOST_TIMES:
            held, every = [np.sort(np.concatenate(held))[1::2]], 2 * every
    at_s = np.concatenate(held)
    earlier = at_s[at_s < end_s]
    if not earlier.size:
        return np.array([end_s])
    inner = np.quantile(earlier, np.arange(1, MOST_ERAS) / MOST_ERAS)
    return np.unique(np.append(inner, end_s))


def real(users: Users) -> Bools:
    """Which steps [B, L] are of an item that the catalogue knows."""
    return (np.arange(users.item.shape[1]) < users.length[:, None]) & (users.item >= 0)


def counted(users: Users, catalogue: Catalogue, moments: Doubles, gap_s: float) -> tuple[sparse.csr_matrix, ...]:
    """What there was between the moments; what came later is left out.

    Events [E (1 + R) D, N], successions [E N, N], users who met an item for the first time [E, N], and events as they
    count at the moment that comes after them [E, N].
    """
    user, step = np.nonzero(real(users))
    item, at_s = users.item[user, step], users.at_s[user, step]
    era = np.searchsorted(moments, at_s, side="right")
    kept = era < len(moments)
    user, step, item, at_s, era = user[kept], step[kept], item[kept], at_s[kept], era[kept]
    rows, n_items = catalogue.popularity.shape
    daypart = catalogue.daypart_of_slot[np.maximum(users.slot[user, step], 0)]
    region = users.region[user, step]
    named = region >= 0
    context = np.concatenate([daypart, (1 + region[named]) * len(catalogue.dayparts) + daypart[named]])
    row = np.concatenate([era, era[named]]) * rows + context
    popularity = counts_of(row, np.concatenate([item, item[named]]), (len(moments) * rows, n_items))
    before = before_in_session(users, gap_s)[user, step]
    follows = before >= 0
    row = era[follows] * n_items + before[follows]
    transitions = counts_of(row, item[follows], (len(moments) * n_items, n_items))
    _, first = np.unique(user * n_items + item, return_index=True)  # steps are in order
    visitors = counts_of(era[first], item[first], (len(moments), n_items))
    fresh = sparse.coo_matrix((halved(moments[era] - at_s), (era, item)), shape=(len(moments), n_items)).tocsr()
    return popularity, transitions, visitors, fresh


def counts_of(row: Ints, column: Ints, shape: tuple[int, int]) -> sparse.csr_matrix:
    """How often each (row, column) occurs."""
    return sparse.coo_matrix((np.ones(len(row)), (row, column)), shape=shape).tocsr()


def before_in_session(whole: Users, gap_s: float) -> Ints:
    """The item before each step [R, L]; -2 where a longer gap than `gap_s`, or nothing, lies before it."""
    previous = np.full_like(whole.item, -2)
    previous[:, 1:] = whole.item[:, :-1]
    together = np.nan_to_num(whole.gap_s, nan=np.inf) <= gap_s
    return np.where(together & (whole.item >= 0), previous, -2)
