"""How memory is trusted: nothing for nothing, and parts that add up."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.trust import FARTHEST, Trust

PARTS = ["habit", "habit", "recent", "next", "recent"]
Q, C = 4, 3


def trust(seed=0):
    """A trust with weights far from their start, and scales of the features that are not those of nothing."""
    torch.manual_seed(seed)
    made = Trust(PARTS, C, 6, 0.5).eval().requires_grad_(False)
    for parameter in made.parameters():
        parameter.copy_(torch.randn_like(parameter))
    made.measure(torch.randn(50, len(PARTS)) * 3 + 1)
    return made


def pairs(seed, n=9):
    torch.manual_seed(seed + 1)
    return torch.randn(n, len(PARTS)) * 4, torch.randn(Q, C), torch.randint(Q, (n,))


@given(st.integers(0, 100))
def test_features_of_nothing_add_nothing(seed):
    features, context, query = pairs(seed)
    made = trust(seed)
    said = made(made.scaled(torch.zeros_like(features)), context, query)
    assert float(said.abs().max()) < 1e-5  # sums in another order differ in their last bit


@given(st.integers(0, 100))
def test_the_parts_add_up(seed):
    made, (features, context, query) = trust(seed), pairs(seed)
    parts = made.parts(features, context, query)
    assert list(parts) == ["habit", "recent", "next"]
    assert torch.allclose(sum(parts.values()), made(features, context, query), atol=1e-4)
    assert all(part.abs().max() > 0 for part in parts.values())


def test_a_part_without_features_adds_nothing():
    made, (features, context, query) = trust(), pairs(0)
    features[:, 3] = 0.0
    parts = made.parts(made.scaled(features), context, query)
    assert float(parts["next"].abs().max()) < 1e-5


def test_the_context_decides():
    made, (features, context, _) = trust(), pairs(0)
    said = [made(features, context, torch.full((len(features),), q)) for q in range(Q)]
    assert all((said[0] - each).abs().max() > 0.1 for each in said[1:])


def test_features_beyond_the_farthest_say_no_more():
    made, (_, context, query) = trust(), pairs(0)
    far, farther = (made.mean + made.deviation * by * FARTHEST for by in (1.0, 9.0))
    said = [made(made.scaled(features).expand(9, -1), context, query) for features in (far, farther)]
    assert torch.allclose(*said, atol=1e-4)


def test_no_pair_and_no_query():
    made, (features, context, query) = trust(), pairs(0)
    assert made(features[:0], context, query[:0]).shape == (0,)
    assert made(features[:0], context[:0], query[:0]).shape == (0,)
    assert [part.shape for part in made.parts(features[:0], context, query[:0]).values()] == [(0,)] * 3


@pytest.mark.parametrize("n", [0, 1])
def test_too_little_to_measure_leaves_the_scale(n):
    made = Trust(PARTS, C, 6, 0.0)
    made.measure(torch.ones(n, len(PARTS)))
    assert (made.mean.tolist(), made.deviation.tolist()) == ([0.0] * 5, [1.0] * 5)


def test_measured_features_are_even():
    made, features = Trust(PARTS, C, 6, 0.0), torch.randn(200, len(PARTS)) * 5 + 2
    made.measure(features)
    even = made.scaled(features)
    assert even.mean(dim=0).tolist() == pytest.approx([0.0] * 5, abs=1e-4)
    assert even.std(dim=0).tolist() == pytest.approx([1.0] * 5, abs=1e-2)
