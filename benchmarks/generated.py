"""Made-up ratings of the size of MovieLens-1M, for timing: nothing is learned about quality from them."""

from __future__ import annotations

import numpy as np
import pandas as pd

USERS, ITEMS, RATINGS = 6_040, 3_706, 1_000_000
LEAST, MOST = 20, 2_300  # ratings of a user, as there
KINDS = 40  # groups of items that people go through one after the other
TASTE = 1.5  # deviation of the log of how much more a user likes one kind than another
SITTING = 60  # ratings, about, until a user comes back another day


def ratings(seed: int) -> pd.DataFrame:
    """Rows user_id, item_id and timestamp (epoch seconds), each item once per user.

    Items have Zipf's popularity (exponent 1) and a kind; which ones a user meets follows popularity and the user's
    taste in kinds. The order has structure: a user goes kind by kind, and within a kind about in the order of the
    items' numbers, so the item before tells something about the next one.
    """
    random = np.random.default_rng(seed)
    popular = -np.log(np.arange(1, ITEMS + 1))[random.permutation(ITEMS)]
    kind = random.integers(0, KINDS, ITEMS)
    users = [one_user(n, popular, kind, random) for n in lengths(random)]
    frame = pd.concat([pd.DataFrame(steps) for steps in users], keys=range(USERS), names=["user_id", "step"])
    return frame.reset_index()[["user_id", "item_id", "timestamp"]]


def lengths(random: np.random.Generator) -> np.ndarray:
    """How many ratings each user has [USERS]: log-normal between `LEAST` and `MOST`, `RATINGS` in all."""
    raw = np.exp(random.normal(0, 1.1, USERS))
    n = np.clip(np.round(raw * RATINGS / raw.sum()), LEAST, MOST).astype(int)
    while (missing := RATINGS - n.sum()) != 0:
        free = np.flatnonzero((n < MOST) if missing > 0 else (n > LEAST))
        n[random.choice(free, min(abs(missing), len(free)), replace=False)] += np.sign(missing)
    return n


def one_user(n: int, popular: np.ndarray, kind: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
    """The items of a user in order, and when.

    The n items with the largest log weight plus Gumbel noise are a draw without replacement by the weights.
    """
    weight = popular + random.normal(0, TASTE, KINDS)[kind] + random.gumbel(size=ITEMS)
    items = np.argpartition(-weight, n - 1)[:n]
    place = random.random(KINDS)[kind[items]] + (items / ITEMS + random.normal(0, 0.1, n)) / KINDS
    waits = random.exponential(20, n) + (random.random(n) < 1 / SITTING) * random.exponential(7 * 86_400, n)
    start = 956_700_000 + random.integers(0, 300 * 86_400)
    return {"item_id": items[np.argsort(place)], "timestamp": (start + waits.cumsum()).astype(np.int64)}
