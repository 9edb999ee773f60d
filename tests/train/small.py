"""Small catalogues and histories for the tests of the space-time model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from chronotope.slots import daypart_names
from chronotope.train.batches import users_of
from chronotope.train.scoring import Catalogue, Queries

MONDAY_S = 1_349_049_600.0  # 2012-10-01 00:00 UTC, a Monday
HOUR_S, DAY_S = 3600.0, 86_400.0
DAYPARTS = {"weekday": [[0, 4, 0, 24]], "weekend": [[5, 6, 0, 24]]}


def catalogue(
    n_items: int = 6, regions=("north", "south"), n_texts: int = 3, places: bool = True, seed: int = 0
) -> Catalogue:
    """Items `i00`, `i01`, ...: one of `n_texts` texts each, regions in turn, each 1 km east of the last."""
    random = np.random.default_rng(seed)
    texts = random.normal(size=(n_texts, 4))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    items = np.arange(n_items)
    dayparts = list(DAYPARTS)
    return Catalogue(
        item_ids=[f"i{j:02d}" for j in items],
        categories=[f"kind {j % n_texts}" for j in items],
        languages=[""] * n_items,
        lat=np.full(n_items, 40.0 if places else np.nan),
        lon=-74.0 + 0.012 * items if places else np.full(n_items, np.nan),
        region=items % len(regions),
        embedding=texts[items % n_texts].astype(np.float32),
        gone=np.zeros(n_items, bool),
        regions=list(regions),
        actions=["buy", "view"],
        dayparts=dayparts,
        daypart_of_slot=np.array([dayparts.index(name) for name in daypart_names(DAYPARTS)]),
        popularity=sparse.csr_matrix(np.ones(((1 + len(regions)) * 2, n_items), np.float32)),
        transitions=sparse.csr_matrix((n_items, n_items), dtype=np.float32),
        visitors=np.full(n_items, 2.0, np.float32),
        trending=np.full(n_items, 0.5, np.float32),
    )


def history(user_id: str, items: list[int], at_s=None, known: Catalogue | None = None, **fields) -> dict:
    """One row of histories: the items one hour apart from Monday 00:00 unless `at_s` says when."""
    n = len(items)
    at_s = np.asarray(at_s if at_s is not None else MONDAY_S + HOUR_S * np.arange(n), float)
    row = {
        "user_id": user_id,
        "event_id": [f"{user_id}-{step}" for step in range(n)],
        "item_id": [f"i{j:02d}" for j in items],
        "action": ["view"] * n,
        "occurred_at_s": at_s,
        "slot": ((at_s - MONDAY_S) // HOUR_S % 168).astype(int),
        "region": [None] * n,
        "lat": np.full(n, np.nan),
        "lon": np.full(n, np.nan),
        "gap_s": np.diff(at_s, prepend=np.nan) if n else np.empty(0),
        "distance_m": np.full(n, np.nan),
    }
    return row | fields


def users(rows: list[dict], known: Catalogue):
    return users_of(pd.DataFrame(rows), known)


def queries(*rows: dict) -> Queries:
    """Queries; missing fields ask the first user, with nothing known, on Monday 00:00, anywhere."""
    base = {"user": 0, "known_steps": 0, "at_s": MONDAY_S, "slot": 0, "region": -1, "previous_known": False}
    base |= {"hidden_from": 0, "hidden_to": 0}
    full = [base | row for row in rows]
    return Queries(**{name: np.array([row[name] for row in full]) for name in base})


def write(folder: Path, rows: list[dict], files: int = 1) -> list[Path]:
    """The rows as Parquet files, as the store writes histories."""
    paths = []
    for n in range(files):
        paths.append(folder / f"part-{n}.parquet")
        pq.write_table(pa.Table.from_pandas(pd.DataFrame(rows[n::files]), preserve_index=False), paths[-1])
    return paths


def counted(known: Catalogue, rows: list[dict]) -> Catalogue:
    """The catalogue with the events and successions of the rows counted, all of them as of this very moment."""
    n = len(known.item_ids)
    transitions, popularity = np.zeros((n, n), np.float32), np.zeros(known.popularity.shape, np.float32)
    visitors = np.zeros(n, np.float32)
    for row in rows:
        items = known.item_index.get_indexer(row["item_id"])
        np.add.at(transitions, (items[:-1], items[1:]), 1)
        np.add.at(popularity, (known.daypart_of_slot[row["slot"]], items), 1)
        visitors[np.unique(items)] += 1
    return dataclasses.replace(
        known,
        transitions=sparse.csr_matrix(transitions),
        popularity=sparse.csr_matrix(popularity),
        visitors=visitors,
        trending=popularity.sum(axis=0),
    )
