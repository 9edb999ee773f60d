"""Plain Python twins of stage infer."""

from __future__ import annotations

import math
from collections import defaultdict


def contexts(rows, dayparts, half_life_days, as_of_s, max_regions, max_contexts, usual, prior_events=5.0):
    """rows: (user, daypart, region, n, at_s); usual: {(daypart, region): share}; user to {(daypart, region): share}."""
    own = defaultdict(float)
    for user, daypart, region, n, last_s in rows:
        weight = n * 2 ** (-max(0.0, as_of_s - last_s) / 86_400 / half_life_days)
        own[user, daypart, region] += weight
    answer = {}
    for user in {row[0] for row in rows}:
        by_region = defaultdict(float)
        for (someone, _, region), weight in own.items():
            if someone == user:
                by_region[region] += weight
        total = sum(by_region.values())
        regions = sorted(by_region, key=lambda r: (-round(by_region[r] / total, 9), r))[:max_regions]
        p = {}
        for region in regions:
            for daypart in dayparts:
                share = usual.get((daypart, region), 1 / len(dayparts))
                p[daypart, region] = own[user, daypart, region] + prior_events * by_region[region] / total * share
        whole = sum(p.values())
        kept = sorted(p, key=lambda c: (-round(p[c] / whole, 9), c))[:max_contexts]
        answer[user] = {c: p[c] / sum(p[k] for k in kept) for c in kept}
    return answer


def probabilities(scores, smoothing):
    """Softmax of scores, less the even share that smoothing added; a twentieth of each is kept at least."""
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    told = [power / sum(powers) for power in powers]
    kept = [max(p - smoothing / len(told), p / 20) for p in told]
    return [p / sum(kept) for p in kept] if smoothing else told


def topic_probabilities(scores, topics, smoothing):
    """Probabilities, summed by topic."""
    sums = defaultdict(float)
    for p, topic in zip(probabilities(scores, smoothing), topics, strict=True):
        sums[topic] += p
    return dict(sums)
