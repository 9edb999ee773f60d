"""How far the users of one night are from those of others: mixes over bins, and their population stability index."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scipy.special import chdtri

PRIOR_USERS = 1.0  # users of the pooled mix that each side is given: a bin that one side lacks stays finite
MAX_BINS = 50  # largest bins of either side that are compared one by one; the others together are one more
REST = ""  # name of the bin of all others
LEAST_REST = 1e-6  # share of a side's users from which on all others are a bin: less is what rounding leaves of none


@dataclass(frozen=True)
class Mix:
    """How many users are in each bin, not necessarily whole ones, and how many there are; some may be in no bin."""

    bins: Mapping[str, float]
    users: float


def pooled(mixes: Iterable[Mix]) -> Mix:
    """Several mixes as one, each with the weight of its users."""
    bins: Counter[str] = Counter()
    users = 0.0
    for mix in mixes:
        bins.update(mix.bins)
        users += mix.users
    return Mix(bins, users)


def drift(now: Mix, then: Mix, confidence: float) -> tuple[float, float]:
    """The index of two mixes, and what it stays below by chance: see `psi` and `psi_by_chance`.

    Bins are the `MAX_BINS` largest of either side, ties by name, and one for all other users.

    >>> value, chance = drift(Mix({"view": 50, "buy": 50}, 100), Mix({"view": 630, "buy": 70}, 700), 0.999)
    >>> round(value, 2), round(chance, 2)
    (0.87, 0.12)
    """
    compared = sorted({*largest(now), *largest(then)})
    mine, others = with_rest(now, compared), with_rest(then, compared)
    rest = mine[REST] > LEAST_REST * now.users or others[REST] > LEAST_REST * then.users
    value = psi(mine, others, now.users, then.users)
    return value, psi_by_chance(len(compared) + rest, now.users, then.users, confidence)


def with_rest(mix: Mix, names: Iterable[str]) -> dict[str, float]:
    """The named bins of a mix, and one for all other users."""
    bins = {name: mix.bins.get(name, 0.0) for name in names}
    return bins | {REST: max(mix.users - math.fsum(bins.values()), 0.0)}


def largest(mix: Mix) -> list[str]:
    """The names of the `MAX_BINS` largest bins, ties by name."""
    return sorted(mix.bins, key=lambda name: (-mix.bins[name], name))[:MAX_BINS]


def psi(now: Mapping[str, float], then: Mapping[str, float], n: float, m: float) -> float:
    """Population stability index of two mixes: 0 where they are equal, above 0.25 by custom a large shift.

    With the smoothed shares p_b and q_b of bin b in the two samples, PSI = sum over b of (p_b - q_b) ln(p_b / q_b)
    (Siddiqi, "Credit Risk Scorecards", Wiley 2006, chapter 9; it is Jeffreys' divergence, "An invariant form for the
    prior probability in estimation problems", Proc. R. Soc. A 186 (1946)). With c_b of N and d_b of M users, and
    r_b = (c_b + d_b) / (N + M), p_b = (c_b + a r_b) / (N + a) and q_b = (d_b + a r_b) / (M + a), a = `PRIOR_USERS`:
    equal shares give 0 for any N and M, and a bin that is new or gone gives a finite sum. Bins without users count 0.

    Args:
        now: c_b by name; a name that is missing has none.
        then: d_b likewise.
        n: N.
        m: M; without users on one of the sides the index is 0.

    """
    parts = []
    for name in {*now, *then}:
        both = PRIOR_USERS * (now.get(name, 0.0) + then.get(name, 0.0)) / (n + m)
        p, q = (now.get(name, 0.0) + both) / (n + PRIOR_USERS), (then.get(name, 0.0) + both) / (m + PRIOR_USERS)
        if p > 0 and q > 0:  # also where so little of a user is there that its share is no longer a number above zero
            parts.append((p - q) * math.log(p / q))
    return math.fsum(parts)


def psi_by_chance(n_bins: int, n: float, m: float, confidence: float) -> float:
    """What the index stays below with this confidence when both samples are drawn from one mix.

    (1/N + 1/M) times the quantile of chi-square with n_bins - 1 degrees of freedom (Yurdakul and Naranjo, "Statistical
    properties of the population stability index", J. Risk Model Validation 14 (2020)). A user who is spread over bins
    varies less than one drawn into a single bin, so the bound is on the safe side.
    """
    return (1 / n + 1 / m) * float(chdtri(max(n_bins - 1, 1), 1 - confidence))
