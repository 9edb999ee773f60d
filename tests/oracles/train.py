"""Plain Python twins of stage train: memory features and decayed means, step by step."""

from __future__ import annotations

import math
from itertools import pairwise

DAY_S = 86_400.0


def hour_kernel(a: int, b: int) -> float:
    apart = abs(a - b) % 24
    apart = min(apart, 24 - apart)
    alike = 1.0 if (a >= 120) == (b >= 120) else 0.3
    return alike * math.exp(-0.5 * (apart / 1.5) ** 2)


def week_kernel(a: int, b: int) -> float:
    apart = min(abs(a - b), 168 - abs(a - b))
    return math.exp(-0.5 * (apart / 1.5) ** 2)


def habit(steps, known, asked, half_lives_days):
    """Features of each item among the first `known` steps; steps are dicts of item, at_s, slot, region (or None)."""
    past = steps[:known]
    previous = past[-1]["item"] if asked["previous_known"] and past else None
    sums = {}
    for place, step in enumerate(past):
        if step["item"] is None:
            continue
        age_days = max(0.0, asked["at_s"] - step["at_s"]) / DAY_S
        before = past[place - 1]["item"] if place else None
        row = [
            1.0,
            2 ** (-age_days / half_lives_days[0]),
            2 ** (-age_days / half_lives_days[1]),
            2 ** (-(known - 1 - place) / 5.0),
            hour_kernel(asked["slot"], step["slot"]),
            week_kernel(asked["slot"], step["slot"]),
            float(place > 0 and previous is not None and before == previous),
            float(place == known - 1 and asked["previous_known"]),
            float(asked["region"] is not None and step["region"] == asked["region"]),
        ]
        sums[step["item"]] = [a + b for a, b in zip(sums.get(step["item"], [0.0] * len(row)), row, strict=True)]
    totals = [sum(column) for column in zip(*sums.values(), strict=True)] if sums else []
    return {
        item: [
            1.0,
            *map(math.log1p, row),
            *(math.log1p(20 * x / max(t, 1e-6)) for x, t in zip(row, totals, strict=True)),
        ]
        for item, row in sums.items()
    }


def decayed_mean(vectors, times_s, half_life_days):
    """The mean of vectors, each weighted by its age at the last of the times."""
    weights = [2 ** (-(times_s[-1] - t) / DAY_S / half_life_days) for t in times_s]
    whole = sum(weights)
    return [sum(w * v[k] for w, v in zip(weights, vectors, strict=True)) / whole for k in range(len(vectors[0]))]


def followers_before(histories, previous, user, at_s, gap_s):
    """How often each item followed `previous`, but not by this user's hand from `at_s` on: item to count."""
    counts: dict[int, int] = {}
    for who, steps in enumerate(histories):
        for before, after in pairwise(steps):
            if before["item"] != previous or after["at_s"] - before["at_s"] > gap_s:
                continue
            if who != user or after["at_s"] < at_s:
                counts[after["item"]] = counts.get(after["item"], 0) + 1
    return counts
