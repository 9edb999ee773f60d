"""From ranks of single queries to the table of a benchmark: means, standard errors, spread over seeds.

Metrics are those of `chronotope.evaluate.metrics` for a query with one truth at rank r of n candidates: accuracy@k is
1 where r <= k, mrr is 1 / r; a truth that is no candidate (r = n + 1) is a miss in both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

KS = (1, 5, 10, 20)
METRICS = (*[f"accuracy@{k}" for k in KS], "mrr")


def with_metrics(predictions: pd.DataFrame, n_candidates: int) -> pd.DataFrame:
    """The predictions with a column per metric.

    >>> with_metrics(pd.DataFrame({"rank": [1, 4, 8]}), 7)[["accuracy@1", "accuracy@5", "mrr"]].to_numpy().tolist()
    [[1.0, 1.0, 1.0], [0.0, 1.0, 0.25], [0.0, 0.0, 0.0]]
    """
    rank = predictions["rank"].to_numpy()
    hit = rank <= n_candidates
    metrics = {f"accuracy@{k}": (hit & (rank <= k)).astype(float) for k in KS}
    return predictions.assign(**metrics, mrr=np.where(hit, 1 / rank, 0.0))


def summary(predictions: pd.DataFrame, n_candidates: int, by: Sequence[str], query: Sequence[str]) -> pd.DataFrame:
    """One row per group and metric: the columns `by`, metric, value, error, spread, n_seeds and n.

    value is the mean over queries and seeds. error is its standard error over the queries, each query being its mean
    over the seeds: the deviation of those over the square root of their number n. spread is the deviation of the
    seeds' means; both deviations are those of a sample (NaN for a single query, or a single seed).

    Args:
        predictions: the columns `by`, seed, rank, and those that name the query.
        n_candidates: how many items were ranked.
        by: what makes a group.
        query: the columns that name the query.

    """
    names = list(METRICS)
    rows = with_metrics(predictions, n_candidates)
    of_query = rows.groupby([*by, *query], sort=False)[names].mean().groupby(list(by), sort=False)
    of_seed = rows.groupby([*by, "seed"], sort=False)[names].mean().groupby(list(by), sort=False)
    columns = {
        "value": of_query.mean(),
        "error": of_query.sem(),
        "spread": of_seed.std(),
        "n_seeds": of_seed.count(),
        "n": of_query.count(),
    }
    long = {name: of.rename_axis(columns="metric").stack(future_stack=True) for name, of in columns.items()}
    return pd.DataFrame(long).reset_index()


def table(summed: pd.DataFrame, by: Sequence[str]) -> str:
    """The summary as text, one line per group."""
    wide = summed.assign(cell=cells(summed)).pivot_table(
        index=list(by), columns="metric", values="cell", aggfunc="first", sort=False
    )
    return wide[list(METRICS)].reset_index().to_string(index=False)


def cells(summed: pd.DataFrame) -> list[str]:
    """Each row as one figure: `value ±error`, and `/spread` where there are several seeds."""
    return [cell(*row) for row in zip(summed["value"], summed["error"], summed["spread"], strict=True)]


def cell(value: float, error: float, spread: float) -> str:
    """One figure.

    >>> cell(0.35412, 0.0121, 0.0034), cell(0.35412, 0.0121, float("nan"))
    ('.354 ±.012/.003', '.354 ±.012')
    """
    shown = f"{value:.3f} ±{error:.3f}" + ("" if np.isnan(spread) else f"/{spread:.3f}")
    return shown.replace("0.", ".")
