"""The best K candidates of each list, in an order that does not depend on chance.

Letters: Q queries, N items, C of them scored, M shortlisted items, K items shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from chronotope.errors import ModelError
from chronotope.train.scoring import Bools, Doubles, Floats, Ints, Queries, Scorer, Users

ROUND_DIGITS = 6  # scores are rounded to 1e-6, the noise of fp32 sums, so that equal items compare equal
AGREEMENT = 1e-4  # within which a score is the sum of its parts (see `Scorer`)
SPARE = 12  # scores beside those wanted that are looked at for ties
BLOCK_ROWS = 128  # of 5,000 items: 2.6 MB of floats stay in the processor's cache


@dataclass(frozen=True)
class Lists:
    """Ranked lists, best first; where a list has fewer than K items, `there` is False and the rest means nothing."""

    items: Ints  # [Q, K] columns of the catalogue
    scores: Doubles  # [Q, K] sums of the parts
    parts: Mapping[str, Doubles]  # name to [Q, K], rounded
    there: Bools  # [Q, K]


def ranked(
    scorer: Scorer, states: Floats, users: Users, queries: Queries, mask: Bools, shortlist_size: int, k: int
) -> Lists:
    """The `k` best of the candidates in `mask` [Q, N], by the sum of their parts, ties by item_id.

    What may stand in any of the lists is scored, and of the `shortlist_size` best candidates those have their parts
    computed that may be among the `k` best. A score is the sum of its parts, each rounded to 1e-6, so the parts of a
    row add up to its score. As `Scorer.score` agrees with the sum within 1e-4, the lists are exact unless more
    candidates than the shortlist has room to spare lie within 2e-4 of the last one shown.

    Raises:
        ModelError: when an item has no finite score.
    """
    columns = np.flatnonzero(mask.any(axis=0))
    # What belongs to the items asked about is copied: of 50,000, copying three quarters costs what it saves.
    among = columns if 2 * columns.size <= mask.shape[1] else None
    if among is not None:
        mask = mask[:, among]
    scores = scorer.score(states, users, queries, among)  # [Q, C]
    if not np.isfinite(scores.sum()):  # one pass: a sum is a number only when all its terms are
        raise ModelError(f"model {scorer.model_id} gives a score that is no number: train it again")
    shortlist = largest(scores, mask, max(k, shortlist_size))  # [Q, M]
    there = np.take_along_axis(mask, shortlist, axis=1)
    there = may_be_shown(np.take_along_axis(scores, shortlist, axis=1), there, k)
    shortlist = shortlist[:, : there.shape[1]]
    shortlist = shortlist if among is None else among[shortlist]
    given = scorer.parts(states, users, queries, np.where(there, shortlist, -1), among)
    parts = {name: rounded(values) for name, values in given.items()}
    totals = rounded(np.sum(list(parts.values()), axis=0))
    order = np.lexsort((shortlist, np.where(there, -totals, np.inf)), axis=-1)[:, :k]

    def chosen(values: Doubles) -> Doubles:
        return np.take_along_axis(values, order, axis=1)

    return Lists(
        items=np.take_along_axis(shortlist, order, axis=1),
        scores=chosen(totals),
        parts={name: chosen(values) for name, values in parts.items()},
        there=np.take_along_axis(there, order, axis=1),
    )


def may_be_shown(scores: Floats, there: Bools, k: int) -> Bools:
    """Which of those that are `there` in shortlists [Q, M], largest scores first, may be among the `k` best: [Q, L].

    The last places, which hold none in any list, are left out.

    >>> scores = np.array([[3.0, 2.0, 1.9999, 1.0], [3.0, 2.0, 1.0, 1.0]], np.float32)
    >>> may_be_shown(scores, np.ones((2, 4), bool), k=2).tolist()
    [[True, True, True], [True, True, False]]
    """
    if scores.shape[1] <= k:
        return there
    least = np.where(there[:, k - 1], scores[:, k - 1] - 2 * AGREEMENT, -np.inf)
    close: Bools = there & (scores >= least[:, None])
    return close[:, : max(k, int(close.sum(axis=1).max(initial=0)))]


def rounded(values: Floats | Doubles) -> Doubles:
    """Values in float64, rounded to 1e-6; minus zero becomes zero."""
    return np.asarray(np.round(values.astype(np.float64), ROUND_DIGITS) + 0.0, dtype=np.float64)


def largest(scores: Floats, mask: Bools, size: int) -> Ints:
    """Columns of the `size` largest masked scores of each row, largest first, [Q, min(size, N)]; ties by column.

    Rows with fewer masked columns are filled with others. Scores within 1e-6 of each other tie.

    >>> largest(np.array([[1.0, 3.0, 3.0]], np.float32), np.ones((1, 3), bool), 1).tolist()
    [[1]]
    """
    blocks = range(0, len(scores), BLOCK_ROWS)
    found = [largest_of_few(scores[at : at + BLOCK_ROWS], mask[at : at + BLOCK_ROWS], size) for at in blocks]
    return np.concatenate(found) if found else np.empty((0, min(size, scores.shape[1])), dtype=np.int64)


def largest_of_few(scores: Floats, mask: Bools, size: int) -> Ints:
    """`largest` of few rows: some more than `size` are found as floats, and only these are put in order.

    Where the last of them may tie with the last that is wanted, the whole row is searched for others that do.
    """
    n = scores.shape[1]
    size = min(size, n)
    shown = torch.from_numpy(np.where(mask, scores, np.float32(-np.inf)))
    best, columns = (found.numpy() for found in torch.topk(shown, min(size + SPARE, n)))
    least = best[:, size - 1] - 2 * 10.0**-ROUND_DIGITS  # what lies above it may tie with the last one wanted
    found = in_order(best, columns)[:, :size]
    more_may_tie = (best[:, -1] >= least) & np.isfinite(least) & (best.shape[1] < n)
    for row in np.flatnonzero(more_may_tie):
        column = np.flatnonzero(shown[row].numpy() >= least[row])
        found[row] = in_order(shown[row].numpy()[column], column)[:size]
    return found


def in_order(scores: Floats, columns: Ints) -> Ints:
    """The columns by score, largest first, ties within 1e-6 by column; along the last axis."""
    rounded_scores = np.rint(np.multiply(scores, 10.0**ROUND_DIGITS, dtype=np.float64))
    order = np.lexsort((columns, -rounded_scores), axis=-1)
    return np.asarray(np.take_along_axis(columns, order, axis=-1))
