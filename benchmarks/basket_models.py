"""Who competes in next_basket, and the ranks that they give to what was bought.

Letters: Q queries, N items.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.neighbours import ItemNeighbours
from benchmarks.shops import Log, Shop
from chronotope.evaluate.asking import queries_of
from chronotope.evaluate.ranking import ranks_of, top_items
from chronotope.train.batches import by_length, users_of
from chronotope.train.blend import CountBlend, yardsticks
from chronotope.train.examples import before
from chronotope.train.fit import fit
from chronotope.train.known import taken
from chronotope.train.scoring import Catalogue, Scorer
from chronotope.train.tuning import last_queries, tune

SHOWN = 20  # items of a list that are kept
SHRINK = (0.0, 10.0, 100.0)  # users
USERS_AT_ONCE = 64
SCORES_AT_ONCE = 2**20  # scores of a batch of queries


def contestants(shop: Shop, log: Log, seeds: Sequence[int], folder: Path) -> Iterator[tuple[Scorer, int]]:
    """The model, once per seed, and the yardsticks, each with its seed; all of them know the log up to the cut."""
    seed = shop.settings.night.seed
    yield blend(shop, log, seed), seed
    yield neighbours(shop, log), seed
    for of in yardsticks(log.then):
        if of.model_id in ("user_frequency", "popularity"):
            yield of, seed
    for seed in seeds:
        path = folder / f"chronotope-{seed}"
        yield fit(log.files, log.then, shop.settings, log.cut_s, log.tail_s, path, seed), seed


def blend(shop: Shop, log: Log, seed: int) -> CountBlend:
    """The product's count model, tuned on the days before the cut as in a night, over the counts of the cut."""
    users = before(users_of(log.known(), log.early), log.cut_s)
    zone = shop.settings.night.time_zone
    queries, truths = last_queries(users, log.cut_s - log.tail_s, zone, seed)
    return CountBlend(log.then, tune(log.early, users, queries, truths, seed).weights, "count_blend")


def neighbours(shop: Shop, log: Log) -> ItemNeighbours:
    """The item neighbours with the shrinkage of `SHRINK` that finds most of the baskets tuned on; ties to the first."""
    known, zone = log.known(), shop.settings.night.time_zone
    early = met(known, log.early, log.cut_s - log.tail_s)

    def found(shrink: float) -> float:
        rows = predicted(known, log.tuning, ItemNeighbours(log.early, early, shrink), 0, zone)
        return np.mean([np.mean(np.array(ranks) <= 10) for ranks in rows["ranks"]])

    return ItemNeighbours(log.then, met(known, log.then, log.cut_s), max(SHRINK, key=found))


def met(known: pd.DataFrame, catalogue: Catalogue, cut_s: float) -> sparse.csr_matrix:
    """How often each user met each item before the cut, [users, N]."""
    users = before(users_of(known, catalogue), cut_s)
    user, step = np.nonzero(users.item >= 0)
    shape = (len(users.user_ids), len(catalogue.item_ids))
    return sparse.csr_matrix((np.ones(len(user)), (user, users.item[user, step])), shape=shape)


def predicted(known: pd.DataFrame, baskets: pd.DataFrame, scorer: Scorer, seed: int, time_zone: str) -> pd.DataFrame:
    """What a scorer says to every basket: model, seed, user_id, day_s, items, ranks (of the items) and top20.

    Args:
        known: histories of the users, to the end of the log; only what lies before a basket's night is read.
        baskets: as `Shop.baskets` gives them.
        scorer: who answers.
        seed: what made it.
        time_zone: on whose midnight a night ends.

    """
    rows = [part for frame in by_length([known], USERS_AT_ONCE) for part in batch(frame, baskets, scorer, time_zone)]
    name = "chronotope" if scorer.model_id.startswith("chronotope-") else scorer.model_id
    return pd.concat(rows, ignore_index=True).assign(model=name, seed=seed)


def batch(frame: pd.DataFrame, baskets: pd.DataFrame, scorer: Scorer, time_zone: str) -> Iterator[pd.DataFrame]:
    """The same for the baskets of some users, under the project's morning protocol.

    Args:
        frame: rows of `histories`.
        baskets: of these and other users.
        scorer: who answers.
        time_zone: on whose midnight a night ends.

    """
    place = {user_id: row for row, user_id in enumerate(frame["user_id"])}
    asked = baskets[baskets["user_id"].isin(place)].assign(user=lambda rows: rows["user_id"].map(place))
    if asked.empty:
        return
    users = users_of(frame, scorer.catalogue)
    queries = queries_of(users, asked, "tail_morning", time_zone)
    size = max(1, SCORES_AT_ONCE // len(scorer.catalogue.item_ids))
    item_ids = np.array(scorer.catalogue.item_ids, dtype=object)
    for start in range(0, len(asked), size):
        part = np.arange(start, min(start + size, len(asked)))
        of = taken(queries, part)
        scores = scorer.score(scorer.encode(users, of), users, of)
        rows = asked.iloc[part]
        columns = [scorer.catalogue.item_index.get_indexer(items) for items in rows["items"]]
        ranks = [
            ranks_of(np.broadcast_to(s, (len(c), len(s))), c).tolist() for s, c in zip(scores, columns, strict=True)
        ]
        top = item_ids[top_items(scores, SHOWN)].tolist()
        yield rows[["user_id", "day_s", "items"]].assign(ranks=ranks, top20=top)
