"""Memory features, against a plain-Python twin; what a query may not know does not reach them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from chronotope.train.batches import users_of
from chronotope.train.examples import before_in_session
from chronotope.train.inputs import batch_of, distinct_items, item_tables, neighbours, rows_of
from chronotope.train.memory import BLOCKS, Whole, followers, followers_before, memory
from tests.oracles import train as oracle
from tests.train import small

CPU = torch.device("cpu")
STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 200), st.sampled_from([None, "north", "south"])), min_size=1, max_size=8
)
REGIONS = ["north", "south"]


def blocks_of(known, rows, *asked):
    tables = item_tables(known, CPU)
    batch = batch_of(small.users(rows, known), small.queries(*asked), tables, CPU)
    return memory(batch, tables, (30.0, 3.0), followers(batch, tables))


def by_item(block, query=0):
    """The features of the items that have any, by item."""
    pairs = zip(block.columns[query].tolist(), block.features[query].tolist(), strict=True)
    return {item: features for item, features in pairs if item >= 0 and any(features)}


@given(
    steps=STEPS,
    extra=st.integers(0, 5),
    hours=st.integers(0, 400),
    region=st.integers(-1, 1),
    known_previous=st.booleans(),
)
def test_habits_agree_with_the_oracle(steps, extra, hours, region, known_previous):
    known = max(0, len(steps) - extra)
    at_s = small.MONDAY_S + 3600.0 * np.cumsum([hours for _, hours, _ in steps])
    row = small.history("u", [item for item, *_ in steps], at_s, region=[where for *_, where in steps])
    asked_s = (at_s[known - 1] if known else small.MONDAY_S) + 3600.0 * hours
    slot = int((asked_s - small.MONDAY_S) // 3600 % 168)
    asked = {"known_steps": known, "at_s": asked_s, "slot": slot, "region": region, "previous_known": known_previous}
    plain = [
        {"item": item, "at_s": at, "slot": int(s), "region": where}
        for (item, _, where), at, s in zip(steps, at_s, row["slot"], strict=True)
    ]
    expected = oracle.habit(plain, known, asked | {"region": REGIONS[region] if region >= 0 else None}, (30.0, 3.0))
    found = by_item(blocks_of(small.catalogue(), [row], asked)[0])
    assert found.keys() == expected.keys()
    for item, features in expected.items():
        assert found[item] == pytest.approx(features, rel=1e-4, abs=1e-5)


def test_every_block_has_a_part_per_feature():
    blocks = blocks_of(small.catalogue(), [small.history("u", [0, 1])], {"known_steps": 2})
    assert [(block.features.shape[2], block.parts) for block in blocks] == [(len(parts), parts) for parts in BLOCKS]


def test_without_history_there_is_no_memory():
    blocks = blocks_of(small.catalogue(), [small.history("u", [])], {"known_steps": 0, "previous_known": True})
    assert [float(block.features.abs().sum()) for block in blocks] == [0.0] * 4


def test_a_hidden_previous_step_has_no_followers_and_no_neighbours():
    known = small.counted(small.catalogue(), [small.history("v", [1, 2, 1, 2])])
    asked = {"known_steps": 2, "at_s": small.MONDAY_S + 7200}
    told, hidden = (
        blocks_of(known, [small.history("u", [0, 1])], asked | {"previous_known": value}) for value in (True, False)
    )
    assert by_item(told[1])[2] == pytest.approx([math.log1p(2), math.log1p(20 * 2 / 3)])
    assert set(by_item(told[3])) == {0, 2}
    assert [float(block.features.abs().sum()) for block in hidden[1:]] == [0.0] * 3


def test_nearness_falls_with_distance():
    near = by_item(
        blocks_of(small.catalogue(), [small.history("u", [0, 2, 1])], {"known_steps": 3, "previous_known": True})[2]
    )
    metres = 0.012 * 111_195 * math.cos(math.radians(40))
    assert near[2] == pytest.approx([math.exp(-metres / 300), math.exp(-metres / 3000)], rel=1e-3)
    assert near[1] == pytest.approx([1.0, 1.0])


def test_unknown_places_are_not_near():
    known = small.catalogue(places=False)
    blocks = blocks_of(known, [small.history("u", [0, 1])], {"known_steps": 2, "previous_known": True})
    assert [float(block.features.abs().sum()) for block in blocks[2:]] == [0.0, 0.0]


def test_the_places_of_steps_come_before_those_of_items():
    row = small.history("u", [0], lat=np.array([40.0]), lon=np.array([-74.0 + 0.036]))
    walk = by_item(blocks_of(small.catalogue(), [row], {"known_steps": 1, "previous_known": True})[2])[0]
    assert walk[1] == pytest.approx(math.exp(-0.036 * 111_195 * math.cos(math.radians(40)) / 3000), rel=1e-3)


@given(
    items=st.lists(st.lists(st.integers(0, 3), min_size=2, max_size=8), min_size=1, max_size=3), step=st.integers(1, 7)
)
def test_training_takes_off_what_the_user_did_later(items, step):
    rows = [
        small.history(f"u{n}", each, small.MONDAY_S + 3600.0 * np.arange(len(each)) ** 2)
        for n, each in enumerate(items)
    ]
    plain = [
        [{"item": i, "at_s": t} for i, t in zip(each, row["occurred_at_s"], strict=True)]
        for each, row in zip(items, rows, strict=True)
    ]
    gap_s = 5 * 3600.0
    counts = np.zeros((6, 6), np.float32)
    for previous in range(6):
        for item, n in oracle.followers_before(plain, previous, -1, 0.0, gap_s).items():
            counts[previous, item] = n
    known = dataclasses.replace(small.catalogue(), transitions=sparse.csr_matrix(counts))
    step = min(step, len(items[0]) - 1)
    at_s, tables = rows[0]["occurred_at_s"][step], item_tables(known, CPU)
    users = users_of(pd.DataFrame(rows), known)
    asked = small.queries({"known_steps": step, "at_s": at_s, "previous_known": True})
    batch = batch_of(users, asked, tables, CPU)
    arrays = (np.arange(len(rows)), users.item, before_in_session(users, gap_s), users.at_s)
    found = followers_before(batch, tables, Whole(*map(torch.from_numpy, arrays)))
    expected = oracle.followers_before(plain, items[0][step - 1], 0, at_s, gap_s)
    successors = tables.successor[items[0][step - 1]].tolist()
    got = {item: n for item, n in zip(successors, found.counts[0].tolist(), strict=True) if item >= 0 and n}
    assert got == expected
    assert float(found.total[0]) == sum(expected.values())


@given(st.lists(st.lists(st.integers(-1, 4), min_size=3, max_size=3), min_size=1, max_size=4))
def test_distinct_items_find_every_step_again(items):
    item = np.array(items)
    own, turn = distinct_items(item)
    assert (np.take_along_axis(own, turn, axis=1) == item).all()
    assert [sorted(set(row) - {-1}) for row in items] == [[i for i in row if i >= 0] for row in own.tolist()]


def test_neighbours_are_the_nearest_and_not_the_item_itself():
    columns, metres = neighbours(item_tables(small.catalogue(), CPU).place.numpy())
    assert [sorted(i for i in row if i >= 0) for row in columns.tolist()] == [[1], [0, 2], [1, 3], [2, 4], [3, 5], [4]]
    assert metres.max() == pytest.approx(0.012 * 111_195 * math.cos(math.radians(40)), rel=1e-3)


def test_rows_of_an_empty_matrix():
    columns, values = rows_of(sparse.csr_matrix((2, 2)))
    assert (columns.tolist(), values.tolist()) == ([[-1], [-1]], [[0.0], [0.0]])
