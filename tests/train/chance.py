"""Random small worlds, with all that may be unknown left unknown here and there: for tests against plain twins."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import sparse

from chronotope.train.scoring import Catalogue, Queries, Users
from tests.train import small

ITEMS, LENGTHS = 7, (9, 4, 0)
GAPS_S = (0.0, 40.0, 900.0, 2 * small.HOUR_S, 20 * small.HOUR_S, 2 * small.DAY_S, 9 * small.DAY_S)


def catalogue(random: np.random.Generator, places: bool = True) -> Catalogue:
    """Seven items of three kinds, some without a place, with random counts, most of them zero."""
    known = small.catalogue(n_items=ITEMS, places=places)
    nowhere = random.random(ITEMS) < 0.2
    return dataclasses.replace(
        known,
        lat=np.where(nowhere, np.nan, known.lat),
        region=np.where(random.random(ITEMS) < 0.2, -1, known.region),
        popularity=sparse.csr_matrix(random.poisson(0.3, known.popularity.shape).astype(np.float32)),
        transitions=sparse.csr_matrix(random.poisson(0.3, (ITEMS, ITEMS)).astype(np.float32)),
        visitors=random.poisson(0.5, ITEMS).astype(np.float32),
        trending=(random.poisson(0.5, ITEMS) * random.random(ITEMS)).astype(np.float32),
    )


def history(name: str, steps: int, random: np.random.Generator) -> dict:
    """A history of sessions; some items are not in the catalogue, some steps have no clock, region or place."""
    at_s = small.MONDAY_S + np.cumsum(random.choice(GAPS_S, steps) + random.integers(0, 3600, steps))
    row = small.history(name, list(random.choice([0, 1, 2, 3, 6, 9], steps)), at_s)
    return row | {
        "slot": np.where(random.random(steps) < 0.2, -1, row["slot"]),
        "region": random.choice(np.array(["north", "south", None]), steps).tolist(),
        "lat": np.where(random.random(steps) < 0.5, np.nan, 40 + random.uniform(0, 0.02, steps)),
        "lon": np.full(steps, -74.0),
    }


def query(user: int, known: int, users: Users, random: np.random.Generator) -> dict:
    """A query that knows some steps, of which a stretch before a session may be hidden; its time may be untold."""
    last_s = users.at_s[user, known - 1] if known else small.MONDAY_S
    told = random.random() < 0.8
    at_s = last_s + random.choice(GAPS_S) + 60 if told else last_s
    starts = np.flatnonzero(users.gap_s[user, :known] > small.DAY_S) if known else []
    hidden_to = int(random.choice(starts)) if len(starts) and random.random() < 0.5 else 0
    return {
        "user": user, "known_steps": known, "at_s": at_s,
        "slot": int((at_s - small.MONDAY_S) // small.HOUR_S % 168) if told else -1,
        "region": int(random.integers(-1, 2)), "previous_known": bool(random.random() < 0.7),
        "hidden_from": int(random.integers(hidden_to + 1)) if hidden_to else 0, "hidden_to": hidden_to,
    }  # fmt: skip


def world(seed: int, places: bool = True) -> tuple[Catalogue, Users, Queries]:
    """A catalogue, three users (one without history), and a query after each number of known steps of each."""
    random = np.random.default_rng(seed)
    known = catalogue(random, places)
    users = small.users([history(f"u{n}", steps, random) for n, steps in enumerate(LENGTHS)], known)
    asked = [query(n, k, users, random) for n, steps in enumerate(LENGTHS) for k in range(steps + 1)]
    return known, users, small.queries(*asked)
