"""Made-up ratings of MovieLens-1M's size, here a hundred times smaller."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import generated


@pytest.fixture
def small(monkeypatch):
    for name, value in {"USERS": 120, "ITEMS": 370, "RATINGS": 10_000, "MOST": 300, "KINDS": 8}.items():
        monkeypatch.setattr(generated, name, value)
    return generated.ratings(1)


def test_the_full_size_is_movielens_1m():
    assert (generated.USERS, generated.ITEMS, generated.RATINGS) == (6_040, 3_706, 1_000_000)


def test_sizes_are_exact_and_nobody_rates_twice(small):
    assert len(small) == 10_000
    assert small["user_id"].nunique() == 120
    assert small.groupby("user_id").size().between(20, 300).all()
    assert not small.duplicated(["user_id", "item_id"]).any()
    assert small["item_id"].between(0, 369).all()


def test_each_users_ratings_are_in_time(small):
    assert (small.groupby("user_id")["timestamp"].diff().dropna() >= 0).all()


def test_the_seed_decides(small):
    assert generated.ratings(1).equals(small)
    assert not generated.ratings(2)["item_id"].equals(small["item_id"])


def test_popularity_is_far_from_even(small):
    counts = np.sort(np.bincount(small["item_id"], minlength=370))[::-1]
    assert counts[:37].sum() > 2 * counts.sum() / 10


def test_the_item_before_tells_about_the_next(small):
    """Pairs of neighbours repeat more often than when each user's items are shuffled."""

    def repeated(frame):
        pairs = list(zip(frame["item_id"], frame.groupby("user_id")["item_id"].shift(-1), strict=True))
        return len(pairs) - len(set(pairs))

    shuffled = small.sample(frac=1, random_state=0).sort_values("user_id", kind="stable")
    assert repeated(small) > 2 * repeated(shuffled)
