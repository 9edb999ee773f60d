"""Queries that are not told their own time: what fits at each moment when the next step may come, weighed.

`p(i) = sum over gaps g of p(g) p(i | t + g)`, with t the time of the last known step. A blend of sharp answers says
more than one answer that must hold at any time: at eight in the evening home, or in the morning the office.

Letters: Q queries, N items, K chosen per query, G gaps.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from chronotope.train.inputs import HOUR_S
from chronotope.train.moments import GAPS_S
from chronotope.train.scoring import Bools, Floats, Ints, Queries, Scorer, Users

WEEK_H = 168
REST = "this_time"  # the part that gets what an untold time costs an item, or brings it


class Foreseeing(Scorer, Protocol):
    """A scorer that also says when the next step comes."""

    def gaps(self, states: Floats, users: Users, queries: Queries) -> Floats:
        """The logarithms of the probabilities of `GAPS_S`, [Q, G]."""
        ...


@dataclass(frozen=True)
class Mixture:
    """A scorer's answers to queries without a time, each about the user's next step."""

    scorer: Foreseeing
    states: Floats
    users: Users
    queries: Queries

    def score(self) -> Floats:
        """The logarithms of the items' probabilities, [Q, N]."""
        total: Floats = functools.reduce(np.logaddexp, (log_p for _, log_p in self.moments()))
        return total

    def parts(self, items: Ints) -> Mapping[str, Floats]:
        """The parts of the chosen items [Q, K]: their means over the moments, by what each adds to the probability.

        The rest of the score, of which most is what turns scores into probabilities, is part of `REST`.
        """
        there = items >= 0
        log_ps, parts = [], []
        for queries, log_p in self.moments():
            log_ps.append(np.take_along_axis(log_p, np.where(there, items, 0), axis=1))
            parts.append(self.scorer.parts(self.states, self.users, queries, items))
        total = np.logaddexp.reduce(log_ps)
        weights = np.exp(np.stack(log_ps) - total)  # [G, Q, K]
        sums = {name: (weights * [part[name] for part in parts]).sum(axis=0) for name in parts[0]}
        sums[REST] += (total - np.sum(list(sums.values()), axis=0)) * there
        return sums

    def moments(self) -> Iterator[tuple[Queries, Floats]]:
        """The queries at each moment, and the logarithms of how likely that moment and each item are [Q, N]."""
        log_gaps = self.scorer.gaps(self.states, self.users, self.queries)
        for number, gap_s in enumerate(GAPS_S):
            queries = after(self.users, self.queries, gap_s)
            scores = torch.from_numpy(self.scorer.score(self.states, self.users, queries))
            yield queries, torch.log_softmax(scores, dim=1).numpy() + log_gaps[:, number, None]


def is_untimed(users: Users, queries: Queries) -> Bools:
    """Which queries know the step just before, but not their own time, where that step has a clock: [Q].

    Whoever knows no step just before is asked about a time: of when a first step comes nothing is known.
    """
    if not users.slot.shape[1]:
        return np.zeros(len(queries.user), dtype=bool)
    known: Bools = (queries.slot < 0) & queries.previous_known & (last_steps(users, queries) >= 0)
    known[known] = users.slot[queries.user, last_steps(users, queries)][known] >= 0
    return known


def after(users: Users, queries: Queries, gap_s: float) -> Queries:
    """The queries asked a gap after their last known step.

    Minutes are those of UTC, as in `Batch.clock_h`: where the local clock is half an hour off, the slot may be by one.
    """
    last = last_steps(users, queries)
    at_s = users.at_s[queries.user, last]
    hours = users.slot[queries.user, last] + (at_s % HOUR_S + gap_s) / HOUR_S
    return replace(queries, at_s=at_s + gap_s, slot=np.floor(hours % WEEK_H).astype(np.int64))


def last_steps(users: Users, queries: Queries) -> Ints:
    """The last known step of each query, [Q]; -1 for none."""
    steps: Ints = np.minimum(queries.known_steps, users.length[queries.user]) - 1
    return steps
