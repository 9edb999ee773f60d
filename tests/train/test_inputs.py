"""From users and queries to tensors."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.inputs import batch_of, distinct_items
from chronotope.train.tables import item_tables, metres_of
from tests.oracles import train as oracle
from tests.train import chance, small

CPU = torch.device("cpu")


def batch(rows, *asked, known=None):
    known = known or small.catalogue()
    return batch_of(small.users(rows, known), small.queries(*asked), item_tables(known, CPU), CPU)


@given(st.lists(st.lists(st.integers(-1, 4), min_size=3, max_size=3), min_size=1, max_size=4))
def test_distinct_items_find_every_step_again(items):
    item = np.array(items)
    own, turn = distinct_items(item)
    assert (np.take_along_axis(own, turn, axis=1) == item).all()
    assert [sorted(set(row) - {-1}) for row in items] == [[i for i in row if i >= 0] for row in own.tolist()]


@given(st.integers(0, 10_000))
def test_steps_that_are_known_and_how_long_ago_they_were(seed):
    known, users, queries = chance.world(seed)
    made = batch_of(users, queries, item_tables(known, CPU), CPU)
    rows, n_steps = torch.arange(len(queries.user)), users.item.shape[1]
    knows, ago = made.knows(rows, n_steps), made.steps_ago(rows, n_steps)
    for q, user in enumerate(queries.user):
        usable = oracle.usable(oracle.query_of(queries, q, oracle.steps_of(users, user, known)))
        assert torch.nonzero(knows[q]).flatten().tolist() == usable
        assert ago[q, usable].tolist() == list(range(len(usable)))[::-1]


def test_an_untold_time_is_that_of_the_last_known_step():
    row = small.history("u", [0, 1, 2], slot=np.array([5, -1, 130]))
    asked = [{"known_steps": n, "slot": slot} for n, slot in [(1, -1), (2, -1), (3, -1), (0, -1), (3, 7)]]
    made = batch([row], *asked)
    assert made.asked_slot.tolist() == [5, -1, 130, -1, 7]
    assert made.asked_daypart.tolist() == [0, -1, 1, -1, 0]
    assert made.slot_known.tolist() == [False] * 4 + [True]
    assert made.asked_clock_h.isnan().tolist() == [False, True, False, True, False]


def test_the_places_of_steps_come_before_those_of_items():
    row = small.history("u", [0, 0, 9], lat=np.array([41.0, np.nan, np.nan]), lon=np.full(3, -73.0))
    made, known = batch([row], {"known_steps": 3}), small.catalogue()
    own, item = metres_of(np.array([41.0]), np.array([-73.0])), metres_of(known.lat[:1], known.lon[:1])
    assert (made.place[0, :2].numpy() == np.concatenate([own, item])).all()
    assert made.place[0, 2].isnan().all()


def test_the_item_before_is_told_where_it_may_be_and_is_one():
    rows = [small.history("u", [3, 9]), small.history("nobody", [])]
    asked = [(0, 1, True), (0, 1, False), (0, 2, True), (1, 0, True)]
    made = batch(rows, *[{"user": user, "known_steps": n, "previous_known": told} for user, n, told in asked])
    assert made.previous.tolist() == [3, -1, -1, -1]
    assert made.previous_known.tolist() == [True, False, True, False]


def test_nobody_has_done_anything():
    made = batch([small.history("u", []), small.history("v", [])], {"user": 1})
    assert (tuple(made.item.shape), made.known.tolist()) == ((2, 1), [0])
    assert not made.knows(torch.arange(1), 1).any()


def test_no_more_steps_are_known_than_there_are():
    assert batch([small.history("u", [0, 1])], {"known_steps": 9}).known.tolist() == [2]
