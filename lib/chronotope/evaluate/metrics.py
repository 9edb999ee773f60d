"""Metrics of one query with one truth, as Spark SQL expressions over (rank of the truth, number of candidates).

A query has one truth, an item that the user then met, at rank r of n candidates. Ties count against the model
(`chronotope.evaluate.ranking.ranks_of`). A truth that is no candidate has r = n + 1 and is a miss: zero in every
metric, whatever k is, and never left out. The metric of a group is the mean over its queries, so the denominator of
all of them is the number of queries.

With one truth several metrics are multiples of each other; they are all here because readers compare them with
others' figures. Lists met by several items are in `chronotope.evaluate.lists`.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F


def per_query(ks: Sequence[int]) -> dict[str, Column]:
    """Every metric by name, as expressions over the columns `rank` and `n_candidates`."""
    rank, n = F.col("rank"), F.col("n_candidates")
    metrics = {"mrr": reciprocal_rank(rank, n), "roc_auc": roc_auc(rank, n)}
    for name, metric in AT_K.items():
        metrics |= {f"{name}@{k}": metric(rank, n, k) for k in ks}
    return metrics


def within(rank: Column, n: Column, k: int) -> Column:
    """Whether the truth is a candidate and among the first k."""
    return (rank <= k) & (rank <= n)


def only(condition: Column, value: Column | float) -> Column:
    """The value where the condition holds, else zero."""
    return F.when(condition, F.lit(value) if isinstance(value, float) else value).otherwise(F.lit(0.0))


def accuracy(rank: Column, n: Column, k: int) -> Column:
    """Accuracy@k, or hit rate: 1 when r <= k.

    GETNext (Yang, Liu and Zhao, SIGIR 2022, section 5.1.3) and the next-place literature.
    """
    return only(within(rank, n, k), 1.0)


def precision(rank: Column, n: Column, k: int) -> Column:
    """Precision@k: relevant items among the first k over k, here hit / k, also where there are fewer candidates.

    Manning, Raghavan and Schütze, "Introduction to Information Retrieval" (2008), section 8.4.
    """
    return only(within(rank, n, k), 1.0 / k)


def recall(rank: Column, n: Column, k: int) -> Column:
    """Recall@k: relevant items among the first k over all relevant ones; with one truth the hit itself.

    Manning, Raghavan and Schütze (2008), section 8.4.
    """
    return accuracy(rank, n, k)


def f1(rank: Column, n: Column, k: int) -> Column:
    """F1@k: harmonic mean of precision@k and recall@k of the query, `2 hit / (k + 1)`.

    Taken per query and then averaged, not from the averages. Manning, Raghavan and Schütze (2008), section 8.3.
    """
    return only(within(rank, n, k), 2.0 / (k + 1))


def ndcg(rank: Column, n: Column, k: int) -> Column:
    """NDCG@k with binary gain: `1 / log2(1 + r)` when r <= k; the ideal list has the truth first, so IDCG is 1.

    Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", TOIS 20 (2002), section 2, with the
    discount log2(1 + r) of Burges et al. (ICML 2005).
    """
    return only(within(rank, n, k), 1 / F.log2(1.0 + rank))


def average_precision(rank: Column, n: Column, k: int) -> Column:
    """MAP@k: mean over the truths of precision at their rank, cut at k; with one truth `1 / r` when r <= k.

    Manning, Raghavan and Schütze (2008), section 8.4.
    """
    return only(within(rank, n, k), 1 / rank)


def reciprocal_rank(rank: Column, n: Column) -> Column:
    """MRR: `1 / r` over the whole ranking. Voorhees, "The TREC-8 question answering track report" (1999)."""
    return only(rank <= n, 1 / rank)


def roc_auc(rank: Column, n: Column) -> Column:
    """ROC-AUC of a query: the share of the other candidates below the truth, `(n - r) / (n - 1)`.

    1 for the first place, also of a single candidate; 0 for the last. As ties count against the model, a constant
    scorer gets 0 and not 0.5. Fawcett, "An introduction to ROC analysis" (2006), section 7.
    """
    return F.when(rank == 1, F.lit(1.0)).otherwise(only(rank <= n, (n - rank) / F.greatest(n - 1, F.lit(1))))


AT_K = {
    "accuracy": accuracy,
    "precision": precision,
    "recall": recall,
    "f1": f1,
    "ndcg": ndcg,
    "map": average_precision,
}
