"""Drift between two nights in plain Python, over dictionaries."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from scipy.stats import chi2


def psi(now: dict[str, float], then: dict[str, float], n: float, m: float, prior: float = 1.0) -> float:
    """Population stability index of users per bin, of n and m users; each side smoothed towards the pooled mix."""
    value = 0.0
    for name in sorted({*now, *then}):
        pooled = (now.get(name, 0) + then.get(name, 0)) / (n + m)
        p = (now.get(name, 0) + prior * pooled) / (n + prior)
        q = (then.get(name, 0) + prior * pooled) / (m + prior)
        value += (p - q) * math.log(p / q) if p > 0 and q > 0 else 0.0
    return value


def by_chance(n_bins: int, n: float, m: float, confidence: float) -> float:
    return (1 / n + 1 / m) * float(chi2.ppf(confidence, max(n_bins - 1, 1)))


def mix(rows: list[tuple[str, str]]) -> dict[str, float]:
    """Users per bin, each user spread over the bins of their own rows."""
    own = defaultdict(Counter)
    for user, name in rows:
        own[user][name] += 1
    users: dict[str, float] = defaultdict(float)
    for counts in own.values():
        for name, count in counts.items():
            users[name] += count / counts.total()
    return dict(users)
