"""Long and short-term interest as means, against a plain-Python twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.inputs import batch_of
from chronotope.train.means import decayed_means, step_means
from chronotope.train.tables import item_tables
from tests.oracles import train as oracle
from tests.train import chance, small

CPU = torch.device("cpu")
HALF_LIVES = (30.0, 3.0)


def means(known, users, queries):
    batch = batch_of(users, queries, item_tables(known, CPU), CPU)
    return decayed_means(batch, torch.from_numpy(known.embedding), HALF_LIVES).numpy()


@given(st.integers(0, 10_000))
def test_means_agree_with_the_oracle(seed):
    known, users, queries = chance.world(seed)
    found = means(known, users, queries)
    for q, user in enumerate(queries.user):
        steps = oracle.steps_of(users, user, known)
        met = [steps[s] for s in oracle.usable(oracle.query_of(queries, q, steps)) if steps[s]["item"] is not None]
        vectors = [known.embedding[step["item"]].tolist() for step in met]
        if not met:
            assert not found[q].any()
            continue
        times = [step["at_s"] for step in met]
        expected = [oracle.decayed_mean(vectors, times, days) for days in HALF_LIVES]
        assert found[q] == pytest.approx(np.concatenate(expected), abs=1e-5)


def test_a_mean_does_not_fade_with_a_long_absence():
    known = small.catalogue()
    row = small.history("u", [0, 1], [small.MONDAY_S, small.MONDAY_S + 3000 * small.DAY_S])
    asked = small.queries({"known_steps": 2, "at_s": small.MONDAY_S + 9000 * small.DAY_S})
    assert means(known, small.users([row], known), asked)[0, -4:] == pytest.approx(known.embedding[1], abs=1e-6)


@given(
    known=st.lists(st.lists(st.booleans(), min_size=9, max_size=9), min_size=1, max_size=3),
    half_lives=st.lists(st.floats(1, 40), max_size=2),
    reach=st.integers(1, 12),
    seed=st.integers(0, 1000),
)
def test_means_by_steps_agree_with_the_oracle(known, half_lives, reach, seed):
    there = torch.tensor(known)
    met = torch.randn(*there.shape, 3, generator=torch.Generator().manual_seed(seed)) * there[..., None]
    found = step_means(met, there, half_lives, reach)
    assert found.shape == (*there.shape, 3 * len(half_lives))
    for user, row in enumerate(known):
        for last in range(len(row)):
            vectors = {last - s: met[user, s].tolist() for s in range(last + 1) if row[s] and last - s < reach}
            expected = [number for half_life in half_lives for number in oracle.mean_by_steps(vectors, half_life, 3)]
            assert found[user, last].tolist() == pytest.approx(expected, abs=1e-5)
