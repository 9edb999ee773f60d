"""Kernels between a query and earlier steps, against a plain-Python twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.inputs import batch_of
from chronotope.train.kernels import KERNELS, before, kernels
from chronotope.train.tables import item_tables
from tests.oracles import train as oracle
from tests.train import chance, small

CPU = torch.device("cpu")


def values(known, users, queries):
    """Kernel to its values [Q, L]."""
    tables = item_tables(known, CPU)
    batch = batch_of(users, queries, tables, CPU)
    rows = torch.arange(len(queries.user))
    found = kernels(batch, before(batch), rows, batch.item.shape[1])
    assert found.shape[1] == len(KERNELS)
    return dict(zip(KERNELS, found.permute(1, 0, 2).numpy(), strict=True))


def one(rows, name, **asked):
    """The values of one kernel for one query of one user, [L]."""
    known = small.catalogue()
    return values(known, small.users([rows], known), small.queries(asked))[name][0].tolist()


@given(st.integers(0, 10_000), st.booleans())
def test_every_kernel_is_the_oracles(seed, places):
    known, users, queries = chance.world(seed, places)
    found = values(known, users, queries)
    for q, user in enumerate(queries.user):
        steps = oracle.steps_of(users, user, known)
        expected = oracle.kernels(steps, oracle.query_of(queries, q, steps))
        assert set(expected) <= set(KERNELS)
        for name in KERNELS:
            wanted = np.zeros(users.item.shape[1])
            for step, value in expected[name].items():
                wanted[step] = value
            # Places in fp32 are half a metre apart.
            np.testing.assert_allclose(found[name][q], wanted, atol=2e-3 if "near" in name else 2e-5, err_msg=name)


@given(st.integers(0, 10_000))
def test_kernels_are_between_zero_and_one_and_zero_where_nothing_is_known(seed):
    known, users, queries = chance.world(seed)
    steps = np.arange(users.item.shape[1])
    hidden = (steps >= queries.hidden_from[:, None]) & (steps < queries.hidden_to[:, None])
    unknown = (steps >= queries.known_steps[:, None]) | hidden
    for value in values(known, users, queries).values():
        assert (value >= 0).all()
        assert (value <= 1).all()
        assert not value[unknown].any()


@pytest.mark.parametrize("name", [name for name, part in KERNELS.items() if part == "next"])
def test_what_came_after_is_nothing_without_the_step_before(name):
    at_s = small.MONDAY_S + small.HOUR_S * np.arange(4)
    row = small.history("u", [0, 1, 0, 1], at_s)
    asked = {"known_steps": 3, "at_s": at_s[3], "slot": 3}
    assert not any(one(row, name, **asked))


def test_a_long_gap_ends_a_succession():
    at_s = small.MONDAY_S + small.HOUR_S * np.array([0.0, 1.0, 48.0, 49.0, 80.0])
    row = small.history("u", [0, 1, 0, 2, 0], at_s)
    asked = {"known_steps": 5, "at_s": at_s[4] + 60, "slot": 80, "previous_known": True}
    assert one(row, "after", **asked) == [0.0, 1.0, 0.0, 1.0, 0.0]


def test_gaps_of_about_one_length_are_alike():
    at_s = small.MONDAY_S + small.HOUR_S * np.array([0.0, 0.5, 24.0, 29.0, 48.0])
    row = small.history("u", [0, 1, 0, 2, 0], at_s)
    asked = {"known_steps": 5, "at_s": at_s[4] + 5 * small.HOUR_S, "slot": 53, "previous_known": True}
    soon, later = (one(row, "after_gap", **asked)[step] for step in (1, 3))
    assert (soon, later) == (pytest.approx(0.0, abs=0.01), 1.0)
