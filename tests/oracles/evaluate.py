"""The metrics in plain Python, from whole ranked lists and sets of truths, and what is made of them."""

from __future__ import annotations

import math
from collections import defaultdict
from statistics import NormalDist


def of_list(relevant: list[bool], n_truths: int, k: int) -> dict[str, float]:
    """Metrics at k of a list of places (True where a truth stands), best place first."""
    first = (relevant + [False] * k)[:k]
    hits = sum(first)
    precision, recall = hits / k, hits / n_truths
    gain = sum(1 / math.log2(place + 2) for place, hit in enumerate(first) if hit)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, n_truths)))
    precisions = [sum(first[: place + 1]) / (place + 1) for place, hit in enumerate(first) if hit]
    return {
        f"accuracy@{k}": float(hits > 0),
        f"precision@{k}": precision,
        f"recall@{k}": recall,
        f"f1@{k}": 2 * precision * recall / (precision + recall) if hits else 0.0,
        f"ndcg@{k}": gain / ideal,
        f"map@{k}": sum(precisions) / min(k, n_truths),
    }


def of_rank(rank: int, n: int, ks) -> dict[str, float]:
    """Metrics of one truth at `rank` of `n` candidates; it is none of them when the rank is n + 1."""
    relevant = [place == rank for place in range(1, n + 1)]
    metrics = {"mrr": sum(1 / (place + 1) for place, hit in enumerate(relevant) if hit)}
    below = [place for place in range(1, n + 1) if place > rank]
    others = max(n - 1, 1)
    metrics["roc_auc"] = 1.0 if rank == 1 else (len(below) / others if rank <= n else 0.0)
    for k in ks:
        metrics |= of_list(relevant, 1, k)
    return metrics


def of_shown(shown: list[str], followed: list[str], ks) -> dict[str, float]:
    """Metrics of a shown list and what followed."""
    relevant = [item in followed for item in shown]
    metrics = {"mrr": next((1 / (place + 1) for place, hit in enumerate(relevant) if hit), 0.0)}
    for k in ks:
        metrics |= of_list(relevant, len(set(followed)), k)
    return metrics


def clustered_mean(values: list[tuple[str, float]], confidence: float, bounded: bool = True):
    """Mean of (user, value) pairs and its interval, clustered by user: value, low, high, n."""
    n, mean = len(values), sum(value for _, value in values) / len(values)
    off = defaultdict(float)
    for user, value in values:
        off[user] += value - mean
    if len(off) < 2:
        return mean, None, None, n
    variance = len(off) / (len(off) - 1) * sum(each**2 for each in off.values()) / n**2
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(variance)
    low, high = mean - reach, mean + reach
    return (mean, max(low, 0.0), min(high, 1.0), n) if bounded else (mean, low, high, n)


def rank_of(scores: list[float], truth: int) -> int:
    """The worst place that the truth could have: behind everything that scores as much."""
    if truth < 0:
        return len(scores) + 1
    return sum(not (score < scores[truth]) for score in scores)


def forecast_mae(named: dict[str, float], met: list[str], topics: list[str]) -> float:
    """Mean absolute error of a forecast that names some topics, over the whole vectors; the rest is spread evenly."""
    unnamed = [topic for topic in topics if topic not in named]
    forecast = named | {topic: (1 - sum(named.values())) / len(unnamed) for topic in unnamed}
    return sum(abs(forecast[topic] - met.count(topic) / len(met)) for topic in topics) / len(topics)


def breadth(lists: list[list[str]], k: int, n_candidates: int, events: dict[str, int]):
    """Coverage and novelty of the first k places."""
    shown = [item for each in lists for item in each[:k]]
    total = sum(events.values())
    bits = [-math.log2(max(events.get(item, 1), 1) / total) for item in shown]
    return len(set(shown)) / n_candidates, sum(bits) / len(bits) if bits else None
