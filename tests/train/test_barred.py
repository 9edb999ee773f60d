"""What is barred: the items that a query knows its user to have met, and their scores alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.barred import NEVER, Barred, bar, mean_of_others, met_items, nothing_barred
from chronotope.train.inputs import batch_of
from chronotope.train.known import met_pairs
from chronotope.train.tables import item_tables
from tests.train import chance

CPU = torch.device("cpu")


def met_by(users, queries, query):
    """The known items that a query may know, step by step."""
    user, steps = queries.user[query], range(min(queries.known_steps[query], users.length[queries.user[query]]))
    hidden = range(queries.hidden_from[query], queries.hidden_to[query])
    return {int(users.item[user, step]) for step in steps if step not in hidden} - {-1}


@given(seed=st.integers(0, 10**6))
def test_met_is_what_the_query_knows_its_user_to_have_met(seed):
    """The same before it is a batch of tensors."""
    known, users, queries = chance.world(seed)
    found = met_items(batch_of(users, queries, item_tables(known, CPU), CPU))
    expected = {(q, item) for q in range(len(queries.user)) for item in met_by(users, queries, q)}
    assert set(zip(*(indices.tolist() for indices in found), strict=True)) == expected
    assert set(zip(*(indices.tolist() for indices in met_pairs(users, queries)), strict=True)) == expected
    assert found.query.tolist() == sorted(found.query.tolist())


@pytest.mark.parametrize(("start", "end", "expected"), [(0, 2, [(0, 4), (1, 5)]), (1, 4, [(0, 5), (2, 6), (2, 7)])])
def test_pairs_of_some_queries_count_from_the_first_of_them(start, end, expected):
    pairs = Barred(torch.tensor([0, 1, 3, 3, 4]), torch.tensor([4, 5, 6, 7, 8])).of_queries(start, end)
    assert list(zip(pairs.query.tolist(), pairs.item.tolist(), strict=True)) == expected


@pytest.mark.parametrize("smoothing", [0.0, 0.25])
def test_barred_scores_are_never_and_get_no_gradient(smoothing):
    scores = torch.zeros(2, 3, requires_grad=True)
    place = torch.tensor([2, -1, 0, 1])  # item 1 is not asked about
    barred = Barred(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 3]))
    found = bar(scores * 1.0, barred, place)
    assert found.tolist() == [[0.0, 0.0, NEVER], [0.0, NEVER, 0.0]]
    log_p = torch.log_softmax(found, dim=1)
    others = mean_of_others(log_p, torch.full((3,), 1 / 3), barred, place)
    (log_p[:, 0].sum() - smoothing * others.sum()).backward()
    # Of two equal ones: 1 - 1/2 and -1/2. What is spread evenly over them pulls at neither.
    assert scores.grad.tolist() == [[0.5, -0.5, 0.0], [0.5, 0.0, -0.5]]


def test_the_mean_of_others_leaves_out_what_is_barred():
    log_p = torch.tensor([[1.0, 2.0, 4.0], [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]])
    barred = Barred(torch.tensor([0, 0, 2, 2, 2]), torch.tensor([3, 3, 1, 2, 3]))  # one of them twice
    place = torch.tensor([0, -1, 1, 2])
    found = mean_of_others(log_p, torch.tensor([0.5, 0.25, 0.25]), barred, place)
    assert found.tolist() == pytest.approx([(0.5 + 0.5) / 0.75, 0.5 + 0.5 + 1.0, 0.5 / 0.5])


def test_nothing_barred_changes_nothing():
    assert bar(torch.ones(2, 3), nothing_barred(CPU), torch.arange(3)).tolist() == [[1.0] * 3] * 2
