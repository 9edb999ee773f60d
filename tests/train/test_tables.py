"""What everybody did, as tables: lists of the most frequent, shares, neighbours in space, and which era may be read."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from chronotope.train import tables as made
from chronotope.train.scoring import Counted
from chronotope.train.tables import Lookup, item_tables, likeliest, log_share, metres_of, neighbours, popular
from tests.oracles import train as oracle
from tests.train import chance, small

CPU = torch.device("cpu")
MATRICES = st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=1, max_size=5)
KM = 0.012 * 111_195 * math.cos(math.radians(40))  # from one item of `small.catalogue` to the next


def matrix(rows):
    return sparse.csr_matrix(np.array(rows, dtype=np.float32))


@given(MATRICES, st.integers(1, 5))
def test_the_likeliest_come_first_and_ties_by_column(rows, most):
    found = likeliest(matrix(rows), most)
    for row, got in zip(rows, found.tolist(), strict=True):
        expected = sorted((j for j, n in enumerate(row) if n), key=lambda j: (-row[j], j))[:most]
        assert [j for j in got if j >= 0] == expected
        assert got[len(expected) :] == [-1] * (len(got) - len(expected))


@given(MATRICES, MATRICES)
def test_a_lookup_finds_what_is_there_and_zero_else(first, second):
    rows = max(len(first), len(second))
    eras = [each + [[0] * 4] * (rows - len(each)) for each in (first, second)]
    found = Lookup.of_matrices([matrix(each) for each in eras], CPU)
    keys = torch.arange(2 * rows * 4).reshape(2, rows, 4)
    assert found.of(keys).tolist() == eras
    assert float(found.of(torch.tensor(10**9))) == 0.0


def test_a_lookup_in_nothing_is_zero():
    assert Lookup.of_matrices([matrix([[0, 0]])], CPU).of(torch.tensor([[0], [1]])).tolist() == [[0.0], [0.0]]


def test_the_popular_are_so_everywhere_and_by_region():
    counts = matrix([[1, 0, 5], [1, 0, 0], [0, 0, 0], [1, 0, 0], [2, 3, 1], [0, 0, 4]])  # 2 dayparts, 2 regions
    assert popular(counts, 2).tolist() == [[2, 0, -1], [0, -1, -1], [2, 1, 0]]


def test_shares_add_up_to_one_and_every_item_has_one():
    share = np.exp(log_share([4, 0, 2]))
    assert share.sum() == pytest.approx(1.0)
    assert share == pytest.approx(np.array([4 + 1 / 3, 1 / 3, 2 + 1 / 3]) / 7)


@given(st.integers(0, 10_000))
def test_dayparts_agree_with_the_oracle_and_add_up_to_one(seed):
    known = chance.catalogue(np.random.default_rng(seed))
    found = item_tables(known, CPU).log_daypart[0].numpy()
    events = known.popularity[:2].toarray().T.tolist()
    expected = [
        [oracle.log_daypart(events, known.categories, item, daypart) for daypart in range(2)] for item in range(7)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0, atol=1e-5)


@given(st.integers(0, 10_000))
def test_visits_agree_with_the_oracle(seed):
    known = chance.catalogue(np.random.default_rng(seed))
    tables = item_tables(known, CPU)
    events = known.popularity[:2].toarray().T.tolist()
    expected = [oracle.visits(events, known, item) for item in range(7)]
    assert tables.log_visits[0].tolist() == pytest.approx([each["visits"] for each in expected], abs=1e-5)
    of_kind = tables.log_visits_of_kind[0, tables.category].tolist()
    assert of_kind == pytest.approx([each["visits_of_category"] for each in expected], abs=1e-5)


def test_people_come_back_to_a_home_and_not_to_an_airport():
    known = dataclasses.replace(small.catalogue(n_items=3), categories=["home", "airport", "home"])
    visits = [small.history("u", [0] * 30 + [1]), *[small.history(f"v{n}", [1]) for n in range(30)]]
    home, airport, unmet_home = item_tables(small.counted(known, visits), CPU).log_visits[0].tolist()
    assert home > unmet_home > airport == pytest.approx(0.0)


def test_the_trending_are_those_with_most_events_of_late_and_each_has_a_share():
    known = dataclasses.replace(small.catalogue(n_items=4), trending=np.array([0, 0.5, 2, 0.5], np.float32))
    tables = item_tables(known, CPU)
    assert tables.trending.tolist() == [[2, 1, 3]]
    assert tables.log_trending[0].exp().tolist() == pytest.approx([x / 13 for x in (1, 2.5, 7, 2.5)])


def test_an_era_may_be_read_from_its_moment_on():
    known = small.catalogue()
    none = Counted(-np.inf, known.popularity * 0, known.transitions, known.visitors, known.trending)
    eras = [none, dataclasses.replace(none, from_s=10.0), dataclasses.replace(none, from_s=20.0)]
    tables = item_tables(known, CPU, eras)
    moments = torch.tensor([-1e9, 9.9, 10.0, 19.0, 20.0, 1e9], dtype=torch.float64)
    assert tables.eras(moments).tolist() == [0, 0, 1, 1, 2, 2]
    assert item_tables(known, CPU).eras(moments).tolist() == [0] * 6


def test_eras_of_different_width_stand_side_by_side():
    known = small.catalogue()
    early, late = ([small.history("v", items)] for items in ([0, 1], [0, 1, 0, 2, 0, 3]))
    counted = [small.counted(known, rows) for rows in (early, late)]
    eras = [
        Counted(float(n), each.popularity, each.transitions, each.visitors, each.trending)
        for n, each in enumerate(counted)
    ]
    tables = item_tables(known, CPU, eras)
    assert tables.successor[:, 0].tolist() == [[1, -1, -1], [1, 2, 3]]
    assert tables.leaves[:, 0].tolist() == [1.0, 3.0]
    keys = torch.tensor([[0, 1], [0, 3]]).T
    assert tables.followed.of((keys[1, None] * 0 + torch.tensor([[0], [1]])) * 36 + keys[1]).tolist() == [
        [1.0, 0.0],
        [1.0, 1.0],
    ]


def test_categories_are_numbered_by_name():
    known = dataclasses.replace(small.catalogue(n_items=4), categories=["tea", "", "art", "tea"])
    tables = item_tables(known, CPU)
    assert (tables.category.tolist(), tables.n_kinds) == ([2, 0, 1, 2], 3)


def test_neighbours_are_the_nearest_and_not_the_item_itself():
    known = small.catalogue()
    found = neighbours(metres_of(known.lat, known.lon)).tolist()
    assert KM < made.NEIGHBOUR_M < 2 * KM
    assert [sorted(i for i in row if i >= 0) for row in found] == [[1], [0, 2], [1, 3], [2, 4], [3, 5], [4]]


def test_more_items_at_one_place_than_are_kept():
    n = made.MAX_NEIGHBOURS + 5
    found = neighbours(metres_of(np.full(n, 40.0), np.full(n, -74.0)))
    assert found.shape == (n, made.MAX_NEIGHBOURS)
    assert all(len(set(row)) == made.MAX_NEIGHBOURS and j not in row for j, row in enumerate(found.tolist()))


@pytest.mark.parametrize("lat", [[np.nan] * 3, [40.0, np.nan, np.nan], [40.0, 40.0, np.nan]])
def test_items_without_a_place_have_no_neighbours(lat):
    found = neighbours(metres_of(np.array(lat), np.full(3, -74.0))).tolist()
    expected = [[1], [0], []] if lat[1] == 40.0 else [[], [], []]
    assert [[i for i in row if i >= 0] for row in found] == expected
