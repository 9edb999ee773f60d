"""Cross-entropy: equals torch's own, whatever the chunks; sampled candidates stand for all."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from chronotope.train import loss as losses
from chronotope.train.loss import add_blocks, backward, everything, sampled
from chronotope.train.memory import Block
from chronotope.train.space_time import Answer

Q, N, D, F = 7, 11, 3, 2


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    made = {
        "wanted": torch.randn(Q, D),
        "trust": torch.randn(Q, F),
        "vectors": torch.randn(N, D),
        "popular": torch.randn(N),
    }
    for tensor in made.values():
        tensor.requires_grad_()
    columns = torch.tensor([[0, 3, -1], [5, -1, -1]] * 3 + [[1, 2, 10]])
    features = torch.randn(Q, 3, F) * (columns >= 0)[..., None]
    return made, [Block(("a", "b"), columns, features)], torch.arange(Q)


def plain(made, blocks, truth):
    logits = made["wanted"] @ made["vectors"].T + made["popular"]
    extra = (blocks[0].features * made["trust"][:, None, :]).sum(dim=-1)
    rows = torch.arange(Q)[:, None].expand_as(blocks[0].columns)
    dense = torch.zeros(Q, N).index_put((rows, blocks[0].columns.clamp(min=0)), extra, accumulate=True)
    return functional.cross_entropy(logits + dense, truth)


@pytest.mark.parametrize("chunk", [1, 3 * N, 2**24])
def test_loss_and_gradients_are_those_of_the_whole_softmax(inputs, chunk, monkeypatch):
    monkeypatch.setattr(losses, "CHUNK_SCORES", chunk)
    made, blocks, truth = inputs
    expected = plain(made, blocks, truth)
    gradients = torch.autograd.grad(expected, list(made.values()))
    found = backward(
        Answer(made["wanted"], made["trust"]),
        blocks,
        made["vectors"],
        made["popular"],
        truth,
        everything(N, torch.device("cpu")),
    )
    assert found == pytest.approx(expected.item(), rel=1e-5)
    for tensor, gradient in zip(made.values(), gradients, strict=True):
        assert torch.allclose(tensor.grad, gradient, atol=1e-6)


def test_without_autograd_there_is_only_a_loss(inputs):
    made, blocks, truth = inputs
    with torch.no_grad():
        found = backward(
            Answer(made["wanted"], made["trust"]),
            blocks,
            made["vectors"],
            made["popular"],
            truth,
            everything(N, torch.device("cpu")),
        )
    assert found == pytest.approx(plain(made, blocks, truth).item(), rel=1e-5)
    assert made["wanted"].grad is None


def test_no_query_costs_nothing(inputs):
    made, blocks, truth = inputs
    none = slice(0, 0)
    answer = Answer(made["wanted"][none], made["trust"][none])
    assert (
        backward(
            answer,
            [b.rows(none) for b in blocks],
            made["vectors"],
            made["popular"],
            truth[none],
            everything(N, torch.device("cpu")),
        )
        == 0.0
    )


def test_a_sample_of_everything_is_everything():
    candidates = sampled(torch.ones(N), torch.tensor([2]), 10**6, torch.Generator().manual_seed(0))
    assert candidates.items.tolist() == list(range(N))
    assert float(candidates.log_weight.abs().max()) < 1e-6


def test_the_certain_are_always_there_and_stand_for_themselves():
    for seed in range(5):
        candidates = sampled(torch.ones(50), torch.tensor([7, 40]), 5, torch.Generator().manual_seed(seed))
        at = [candidates.items.tolist().index(item) for item in (7, 40)]
        assert candidates.log_weight[at].tolist() == [0.0, 0.0]


def test_the_sampled_denominator_is_unbiased():
    popularity, scores = torch.linspace(1, 30, 300), torch.linspace(-1, 2, 300)
    generator = torch.Generator().manual_seed(1)
    sums = []
    for _ in range(400):
        candidates = sampled(popularity, torch.tensor([0, 299]), 60, generator)
        sums.append(float((scores[candidates.items] + candidates.log_weight).exp().sum()))
    mean = sum(sums) / len(sums)
    spread = math.sqrt(sum((s - mean) ** 2 for s in sums) / len(sums) ** 2)
    assert abs(mean - float(scores.exp().sum())) < 4 * spread


def test_memory_finds_the_columns_of_a_sample(inputs):
    _, blocks, _ = inputs
    place = torch.full((N,), -1)
    place[[0, 10]] = torch.tensor([0, 1])
    logits = torch.zeros(Q, 2)
    add_blocks(logits, blocks, torch.ones(Q, F), place)
    assert logits[0].tolist() == pytest.approx([float(blocks[0].features[0, 0].sum()), 0.0])
    assert logits[6].tolist() == pytest.approx([0.0, float(blocks[0].features[6, 2].sum())])
