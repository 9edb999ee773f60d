"""Counts as of earlier moments, against a plain count: nothing from after a moment is in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from chronotope.train import past
from chronotope.train.loading import load_parquet
from chronotope.train.past import MOST_ERAS, Sum, eras, largest_of_rows, spread
from chronotope.train.scoring import MOST_FOLLOWERS
from chronotope.train.tables import item_tables
from tests.oracles import train as oracle
from tests.train import small

KNOWN = small.catalogue()
GAP_S = 5 * small.HOUR_S
HISTORIES = st.lists(
    st.lists(st.tuples(st.sampled_from([0, 1, 2, 5, 9]), st.integers(0, 60)), max_size=9), min_size=1, max_size=4
)


def rows_of(histories):
    rows = []
    for n, steps in enumerate(histories):
        at_s = small.MONDAY_S + small.HOUR_S * np.cumsum([hours for _, hours in steps])
        rows.append(small.history(f"u{n}", [item for item, _ in steps], at_s, region=["south"] * len(steps)))
    return rows


def plain(rows):
    """The steps of the rows; the item 9 is none that the catalogue knows."""
    numbers = [[int(item[1:]) for item in row["item_id"]] for row in rows]
    return [
        [{"item": i if i < 6 else None, "at_s": t} for i, t in zip(items, row["occurred_at_s"], strict=True)]
        for items, row in zip(numbers, rows, strict=True)
    ]


@given(HISTORIES, st.integers(1, 300))
def test_each_era_holds_what_was_done_before_it(tmp_path_factory, histories, hours):
    rows, end_s = rows_of(histories), small.MONDAY_S + hours * small.HOUR_S
    found = eras(small.write(tmp_path_factory.mktemp("past"), rows, files=2), KNOWN, end_s, GAP_S)
    moments = [era.from_s for era in found]
    assert moments == sorted(set(moments))
    assert moments[-1] == end_s
    for era in found:
        events = oracle.events_before(plain(rows), era.from_s)
        counted = era.popularity.toarray()
        assert counted[:2].sum(axis=0).tolist() == [events[item] for item in range(6)]
        assert (counted[:2] == counted[4:]).all()  # all of it in the south
        assert not counted[2:4].any()
        visitors = oracle.visitors_before(plain(rows), era.from_s)
        assert era.visitors.tolist() == [visitors[item] for item in range(6)]
        trending = oracle.trending_at(plain(rows), era.from_s)
        assert era.trending.tolist() == pytest.approx([trending[item] for item in range(6)])
        after = oracle.successions_before(plain(rows), era.from_s, GAP_S)
        pairs = zip(*era.transitions.nonzero(), strict=True)
        assert {(int(a), int(b)): era.transitions[a, b] for a, b in pairs} == dict(after)


def test_no_step_is_in_the_counts_that_it_may_read(tmp_path):
    rows = rows_of([[(n % 6, 3) for n in range(50)], [(n % 4, 4) for n in range(40)]])
    found = eras(small.write(tmp_path, rows), KNOWN, small.MONDAY_S + 1e9, GAP_S)
    tables = item_tables(KNOWN, torch.device("cpu"), found)
    for row in rows:
        for at_s, era in zip(row["occurred_at_s"], tables.eras(torch.tensor(row["occurred_at_s"])), strict=True):
            counted = found[era].popularity[:2].sum()
            assert counted <= sum((each["occurred_at_s"] < at_s).sum() for each in rows)


def test_moments_share_the_events_out(tmp_path):
    rows = rows_of([[(0, 1)] * 120])
    end_s = small.MONDAY_S + 121 * small.HOUR_S
    found = eras(small.write(tmp_path, rows), KNOWN, end_s, GAP_S)
    counted = [int(era.popularity[:2].sum()) for era in found]
    assert np.diff(counted) == pytest.approx(120 / MOST_ERAS, abs=1)


def test_the_dayparts_of_the_events_are_kept(tmp_path):
    saturday = small.MONDAY_S + 5 * small.DAY_S
    rows = [small.history("u", [3, 3, 4], [small.MONDAY_S, saturday, saturday + 1])]
    last = eras(small.write(tmp_path, rows), KNOWN, saturday + 10, GAP_S)[-1]
    assert last.popularity[:2, [3, 4]].toarray().tolist() == [[1, 0], [1, 1]]
    assert not last.popularity[2:].nnz


@pytest.mark.parametrize("rows", [[], [small.history("u", [])], [small.history("u", [9, 9])]])
def test_nothing_to_count(rows, tmp_path):
    found = eras(small.write(tmp_path, rows, files=min(1, len(rows))), KNOWN, small.MONDAY_S, GAP_S)
    assert [(era.popularity.nnz, era.transitions.nnz) for era in found] == [(0, 0)] * len(found)
    assert found[-1].from_s == small.MONDAY_S


def test_what_is_trending_fades_between_the_moments(tmp_path):
    rows = [small.history("u", [3, 4], [small.MONDAY_S, small.MONDAY_S + 28 * small.DAY_S])]
    found = eras(small.write(tmp_path, rows), KNOWN, small.MONDAY_S + 42 * small.DAY_S, GAP_S)
    assert found[-1].trending[[3, 4]].tolist() == pytest.approx([0.125, 0.5])
    assert found[0].trending.tolist() == [0.0] * 6


def test_of_an_items_followers_those_are_kept_that_a_catalogue_keeps():
    followed = np.zeros((3, MOST_FOLLOWERS + 9), np.float32)
    followed[0] = 2  # all equal: the first columns stay
    followed[2, 5:] = np.arange(MOST_FOLLOWERS + 4)  # one zero, and the four that follow it are the rarest
    kept = largest_of_rows(sparse.csr_matrix(followed), MOST_FOLLOWERS).toarray()
    assert (kept[0] > 0).nonzero()[0].tolist() == list(range(MOST_FOLLOWERS))
    assert (kept[1] == 0).all()
    assert (kept[2] > 0).nonzero()[0].tolist() == list(range(9, MOST_FOLLOWERS + 9))
    assert (kept[2, 9:] == followed[2, 9:]).all()


def test_the_largest_of_rows_break_ties_by_column_and_rows_stay_apart():
    counts = sparse.csr_matrix(np.array([[2, 0, 5, 2], [0, 1, 0, 0]], np.float32))
    assert largest_of_rows(counts, 2).toarray().tolist() == [[2, 0, 5, 0], [0, 1, 0, 0]]


@given(st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 9)), max_size=6), max_size=8))
def test_a_sum_is_that_of_its_parts(parts):
    found, expected = Sum((3, 4)), np.zeros((3, 4))
    for part in parts:
        dense = np.zeros((3, 4))
        for row, column, value in part:
            dense[row, column] += value
        found.add(sparse.csr_matrix(dense))
        expected += dense
    assert (found.total().toarray() == expected).all()
    assert (found.total().toarray() == expected).all()  # asked again, it is the same


def test_of_many_steps_the_moments_are_told_by_some_of_them(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    rows = [small.history(f"u{n}", [0] * 40, small.MONDAY_S + np.sort(random.uniform(0, 1e6, 40))) for n in range(600)]
    files, end_s = small.write(tmp_path, rows, files=4), small.MONDAY_S + 9e5
    exact = spread(files, KNOWN, end_s, load_parquet)
    monkeypatch.setattr(past, "MOST_TIMES", 4_000)
    some = spread(files, KNOWN, end_s, load_parquet)
    assert len(some) == len(exact) == MOST_ERAS
    assert some[-1] == exact[-1] == end_s
    assert np.abs(some - exact).max() < 3e4
    assert (some[:-1] != exact[:-1]).all()
