"""How memory is trusted: nothing for nothing, and parts that add up."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from chronotope.train.trust import FARTHEST, Trust

PARTS = ["habit", "habit", "recent", "next", "recent"]
Q, C = 4, 3
OWN = 3  # of the features, the first: those of items that the user has met


def trust(seed=0):
    """A trust with weights far from their start, and scales of the features that are not those of nothing."""
    torch.manual_seed(seed)
    made = Trust(PARTS, C, 6, 0.5).eval().requires_grad_(False)
    for parameter in made.parameters():
        parameter.copy_(torch.randn_like(parameter))
    made.measure(torch.randn(50, len(PARTS)) * 3 + 1)
    return made


def pairs(seed, n=9):
    """Features of pairs, of which some were met and the others have no own ones; their queries and contexts."""
    torch.manual_seed(seed + 1)
    features, met = torch.randn(n, len(PARTS)) * 4, torch.rand(n) < 0.5
    features[~met, :OWN] = 0.0
    return features, met.nonzero()[:, 0], torch.randint(Q, (n,)), torch.randn(Q, C)


def said_of(made, features, met, query, context):
    """What `made` makes of features [M, F]."""
    own, common = made.changes(features[met, :OWN], slice(OWN)), made.changes(features[:, OWN:], slice(OWN, None))
    return made(own, common, met, query, context)


def phi(made, features, context):
    """The function phi of the docstring, of one pair."""
    even = (features - made.mean) / made.deviation
    even = even.clamp(-FARTHEST, FARTHEST)
    first = functional.gelu(made.of_features(even) + made.of_context(context))
    return made.last(functional.gelu(made.second(first))) + (even * made.weigh(context)).sum()


@given(st.integers(0, 100))
def test_it_is_phi_less_phi_of_nothing(seed):
    made, (features, met, query, context) = trust(seed), pairs(seed)
    said = said_of(made, features, met, query, context)
    nothing = torch.zeros(len(PARTS))
    for n, q in enumerate(query.tolist()):
        expected = phi(made, features[n], context[q]) - phi(made, nothing, context[q])
        assert said[n].item() == pytest.approx(expected.item(), abs=1e-4)


@given(st.integers(0, 100))
def test_features_of_nothing_add_nothing(seed):
    features, met, query, context = pairs(seed)
    said = said_of(trust(seed), torch.zeros_like(features), met, query, context)
    assert float(said.abs().max()) < 1e-5  # sums in another order differ in their last bit


@given(st.integers(0, 100))
def test_the_parts_add_up(seed):
    made, (features, met, query, context) = trust(seed), pairs(seed, 30)
    parts = made.parts(made.changes(features), query, context)
    assert list(parts) == ["habit", "recent", "next"]
    assert torch.allclose(sum(parts.values()), said_of(made, features, met, query, context), atol=1e-4)
    assert all(part.abs().max() > 0 for part in parts.values())


def test_a_part_without_features_adds_nothing():
    made, (features, _, query, context) = trust(), pairs(0)
    features[:, 3] = 0.0
    parts = made.parts(made.changes(features), query, context)
    assert float(parts["next"].abs().max()) < 1e-5


def test_the_context_decides():
    made, (features, met, _, context) = trust(), pairs(0)
    said = [said_of(made, features, met, torch.full((len(features),), q), context) for q in range(Q)]
    assert all((said[0] - each).abs().max() > 0.1 for each in said[1:])


def test_features_beyond_the_farthest_say_no_more():
    made, (_, _, query, context) = trust(), pairs(0)
    far, farther = ((made.mean + made.deviation * by * FARTHEST).expand(9, -1) for by in (1.0, 9.0))
    said = [said_of(made, features, torch.arange(9), query, context) for features in (far, farther)]
    assert torch.allclose(*said, atol=1e-4)


def test_no_pair_and_no_query():
    made, (features, met, query, context) = trust(), pairs(0)
    assert said_of(made, features[:0], met[:0], query[:0], context).shape == (0,)
    assert said_of(made, features[:0], met[:0], query[:0], context[:0]).shape == (0,)
    assert [part.shape for part in made.parts(features[:0], query[:0], context).values()] == [(0,)] * 3


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
