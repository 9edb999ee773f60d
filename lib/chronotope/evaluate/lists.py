"""Metrics of a shown list that several items followed, as Spark SQL expressions: the general form of `metrics`.

A list of K items was shown; R distinct items followed in its context, at ranks r_1 < r_2 < ... of the list where
they were on it. A user who was shown nothing has a list of no items: every metric is zero, none is left out. The
metric of a group is the mean over its lists. With one truth each formula is the one in `chronotope.evaluate.metrics`.
There is no ROC-AUC: a list does not tell how it would have gone on.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F


def per_list(ks: Sequence[int]) -> dict[str, Column]:
    """Every metric by name, as expressions over the columns `followed` and `ranks` of table `feedback`."""
    relevant = F.size(F.array_distinct("followed"))
    found = F.array_sort(F.array_distinct(F.filter("ranks", lambda rank: rank.isNotNull())))
    metrics = {"mrr": F.coalesce(1 / F.get(found, F.lit(0)), F.lit(0.0))}
    for k in ks:
        metrics |= {f"{name}@{k}": value for name, value in at_k(found, relevant, k).items()}
    return metrics


def at_k(found: Column, relevant: Column, k: int) -> dict[str, Column]:
    """The metrics of the first k places.

    With h of the ranks up to k: accuracy is 1 when h > 0, precision h / k, recall h / R, F1 their harmonic mean
    2 h / (k + R), NDCG the sum of 1 / log2(1 + r_j) over the ranks up to k, divided by that of an ideal list, which
    has min(k, R) items first, and average precision the sum of j / r_j over the ranks up to k, divided by min(k, R).
    References are in `chronotope.evaluate.metrics`.

    Args:
        found: array of the ranks, ascending.
        relevant: R.
        k: places.

    """
    inside = F.filter(found, lambda rank: rank <= k)
    hits = F.size(inside)
    best = F.least(relevant, F.lit(k))
    ideal = total(F.transform(F.sequence(F.lit(1), best), lambda rank: 1 / F.log2(rank + 1.0)))
    return {
        "accuracy": (hits > 0).cast("double"),
        "precision": hits / k,
        "recall": hits / relevant,
        "f1": 2 * hits / (k + relevant),
        "ndcg": total(F.transform(inside, lambda rank: 1 / F.log2(rank + 1.0))) / ideal,
        "map": total(F.transform(inside, lambda rank, j: (j + 1) / rank)) / best,
    }


def total(values: Column) -> Column:
    """The sum of an array of doubles; zero for an empty one."""
    return F.aggregate(values, F.lit(0.0), lambda sum_so_far, value: sum_so_far + value)
