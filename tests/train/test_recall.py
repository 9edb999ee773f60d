"""What attention recalls: a mean of the user's own items, weighted by a softmax over their memory features."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.recall import Recall

F, D = 3, 2


def recall(weights):
    made = Recall(F)
    with torch.no_grad():
        made.fit.weight.copy_(torch.tensor([weights]))
    return made


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=12), st.integers(0, 100))
def test_it_is_the_softmax_mean_of_the_own_items(pairs, seed):
    torch.manual_seed(seed)
    features, vectors = torch.randn(len(pairs), F), torch.randn(len(pairs), D)
    query = torch.tensor([q for q, _ in pairs], dtype=torch.int64)
    mine = torch.tensor([own for _, own in pairs], dtype=torch.bool)
    weights = [2.0, -1.0, 0.5]
    found = recall(weights)(features[mine], query[mine], vectors[mine], 3)
    for q in range(3):
        own = [n for n, pair in enumerate(pairs) if pair == (q, True)]
        powers = [math.exp(sum(w * x for w, x in zip(weights, features[n].tolist(), strict=True))) for n in own]
        expected = [sum(p * float(vectors[n, d]) for p, n in zip(powers, own, strict=True)) for d in range(D)]
        assert found[q].tolist() == pytest.approx([x / max(sum(powers), 1e-9) for x in expected], abs=1e-5)


def test_without_own_items_nothing_is_recalled_and_gradients_are_finite():
    made, vectors = recall([1.0, 1.0, 1.0]), torch.ones(0, D, requires_grad=True)
    found = made(torch.ones(0, F), torch.empty(0, dtype=torch.int64), vectors, 3)
    found.sum().backward()
    assert found.tolist() == [[0.0] * D] * 3
    assert made.fit.weight.grad.tolist() == [[0.0] * F]


def test_queries_without_own_items_take_nothing_from_those_that_have_some():
    made, vectors = recall([1.0, 1.0, 1.0]), torch.ones(1, D, requires_grad=True)
    found = made(torch.ones(1, F), torch.tensor([1]), vectors, 3)
    found.sum().backward()
    assert found.tolist() == [[0.0] * D, [1.0] * D, [0.0] * D]
    assert vectors.grad.tolist() == [[1.0] * D]
    assert made.fit.weight.grad.tolist() == [[0.0] * F]  # of one item the weight is 1, whatever fits


def test_large_fits_do_not_overflow():
    made, vectors = recall([300.0, 0.0, 0.0]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    features = torch.tensor([[5.0, 0.0, 0.0], [-5.0, 0.0, 0.0]])
    found = made(features, torch.tensor([0, 0]), vectors, 1)
    assert found.tolist() == [[1.0, 0.0]]


def test_an_untrained_recall_is_the_plain_mean():
    made, vectors = Recall(F), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    found = made(torch.randn(2, F), torch.tensor([0, 0]), vectors, 1)
    assert found.tolist() == [[0.5, 0.5]]
