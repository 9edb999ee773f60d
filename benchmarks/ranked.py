"""From scores of all items to ranks and lists, and from those to figures: one way for every contestant.

Letters: Q queries, N items.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import sparse

from chronotope.evaluate.ranking import ranks_of, top_items
from chronotope.train.scoring import Doubles, Floats, Ints

SHOWN = 20  # items of a list that are kept
QUERIES_AT_ONCE = 512


def ranks(scores: Floats, truths: Ints, hidden: sparse.csr_matrix | None) -> Ints:
    """The ranks of the truths [Q] in scores [Q, N]: ties count against the model, a truth of -1 has rank N + 1.

    Args:
        scores: not changed.
        truths: [Q] columns.
        hidden: [Q, N] items that are not ranked where they are not zero; a hidden truth is ranked last.

    """
    found = [ranks_of(block, truths[part]) for part, block in blocks(scores, hidden)]
    return np.concatenate(found)


def lists(scores: Floats, hidden: sparse.csr_matrix | None) -> Ints:
    """The columns of the best items that are not hidden, best first [Q, SHOWN], of scores [Q, N]; ties by column."""
    return np.concatenate([top_items(block, SHOWN) for _, block in blocks(scores, hidden)])


def blocks(scores: Floats, hidden: sparse.csr_matrix | None) -> Iterator[tuple[slice, Floats]]:
    """Some queries at a time, with their scores; hidden items score less than all others."""
    for start in range(0, len(scores), QUERIES_AT_ONCE):
        part = slice(start, start + QUERIES_AT_ONCE)
        block = np.array(scores[part], dtype=np.float32)
        if hidden is not None:
            query, item = hidden[part].nonzero()
            block[query, item] = block.min(axis=1)[query] - 1
        yield part, block


def ndcg(ranks: Ints, k: int = 10) -> Doubles:
    """`1 / log2(1 + rank)` up to rank k, else 0: what settings are chosen by.

    >>> ndcg(np.array([1, 3, 11])).tolist()
    [1.0, 0.5, 0.0]
    """
    return np.where(ranks <= k, 1 / np.log2(1.0 + ranks), 0.0)


def figures(predictions: pd.DataFrame, n_items: int) -> pd.DataFrame:
    """Each model's figures, one row per model and metric: model, metric, value, error, spread.

    NDCG@10, HitRate@10 and MRR are means over users of their means over seeds, with the standard error over the users;
    spread is the deviation of the seeds' means (NaN of one seed). coverage@10 is the share of the N items that is in
    anybody's first ten, mean over seeds, without standard error. A rank above N is a miss.

    Args:
        predictions: model, seed, user_id, rank and top20.
        n_items: N.

    """
    rank = predictions["rank"].to_numpy()
    told = {
        "NDCG@10": ndcg(rank),
        "HitRate@10": (rank <= 10).astype(float),
        "MRR": np.where(rank <= n_items, 1 / rank, 0),
    }
    rows = predictions[["model", "seed", "user_id"]].assign(**told)
    of_user = rows.groupby(["model", "user_id"], sort=False)[list(told)].mean().groupby("model", sort=False)
    of_seed = rows.groupby(["model", "seed"], sort=False)[list(told)].mean().groupby("model", sort=False)
    columns = {"value": of_user.mean(), "error": of_user.sem(), "spread": of_seed.std()}
    long = [of.rename_axis(columns="metric").stack(future_stack=True).rename(name) for name, of in columns.items()]
    return pd.concat([pd.concat(long, axis=1).reset_index(), coverage(predictions, n_items)], ignore_index=True)


def coverage(predictions: pd.DataFrame, n_items: int) -> pd.DataFrame:
    """The rows of `figures` for coverage@10."""
    shown = predictions.assign(item=predictions["top20"].str[:10]).explode("item")
    share = shown.groupby(["model", "seed"], sort=False)["item"].nunique() / n_items
    of_seed = share.groupby("model", sort=False)
    columns = {"metric": "coverage@10", "value": of_seed.mean(), "error": np.nan, "spread": of_seed.std()}
    return pd.DataFrame(columns).reset_index()


def table(found: pd.DataFrame) -> str:
    """The figures as text, one line per model: value, ±standard error, /deviation over seeds."""
    cells = [cell(*row) for row in zip(found["value"], found["error"], found["spread"], strict=True)]
    wide = found.assign(cell=cells).pivot(index="model", columns="metric", values="cell")
    return wide.loc[found["model"].unique(), found["metric"].unique()].reset_index().to_string(index=False)


def cell(value: float, error: float, spread: float) -> str:
    """One figure.

    >>> cell(0.35412, 0.0121, 0.0034), cell(0.35412, float("nan"), float("nan"))
    ('.3541 ±.0121/.0034', '.3541')
    """
    parts = [
        f"{value:.4f}",
        *([] if np.isnan(error) else [f" ±{error:.4f}"]),
        *([] if np.isnan(spread) else [f"/{spread:.4f}"]),
    ]
    return "".join(parts).replace("0.", ".")
