"""Cross-entropy: equals torch's own, whatever the chunks; sampled candidates stand for all."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from chronotope.train import loss as losses
from chronotope.train.barred import Barred, nothing_barred
from chronotope.train.loss import Candidates, Penalties, added, backward, everything, sampled
from chronotope.train.memory import Memory
from chronotope.train.space_time import Answer

Q, N, D, M, A = 7, 11, 3, 16, 2
ALL = everything(N, torch.device("cpu"))
NOBODY = nothing_barred(torch.device("cpu"))
NONE, SMOOTH = Penalties(), Penalties(label_smoothing=0.1)


@pytest.fixture
def made():
    """Everything that gradients go to; the pairs of memory are in no order, and query 4 has none."""
    torch.manual_seed(0)
    shapes = {"wanted": (Q, D), "said": (M,), "vectors": (N, D), "biases": (A, N), "divergence": (Q,)}
    return {name: torch.randn(shape, requires_grad=True) for name, shape in shapes.items()}


def pairs(barred=NOBODY):
    torch.manual_seed(1)
    keys = torch.randperm((Q - 1) * N)[:M]
    query = keys // N
    none = torch.empty(0, dtype=torch.int64)
    return Memory(query + (query >= 4), keys % N, none, torch.zeros(0, 0), torch.zeros(M, 0), torch.zeros(Q, 0), barred)


def no_pairs():
    """A memory that speaks of nothing."""
    known = pairs()
    return replace(known, query=known.query[:0], item=known.item[:0], common=known.common[:0])


TRUTH = torch.arange(Q)
ERA = torch.tensor([0, 1, 1, 0, 0, 1, 0])


def run(made, candidates=ALL, penalties=NONE, truth=TRUTH, known=None, later=None):
    answer = Answer(made["wanted"], made["said"], torch.zeros(len(truth), 0), made["divergence"])
    era = ERA[: len(truth)]
    return backward(answer, known or pairs(), made["vectors"], made["biases"], era, truth, candidates, penalties, later)


def plain(made, candidates=ALL, penalties=NONE):
    """The loss by torch on all scores at once."""
    known = pairs()
    dense = torch.zeros(Q, N).index_put((known.query, known.item), made["said"], accumulate=True)
    scores = (made["wanted"] @ made["vectors"].T + made["biases"][ERA] + dense)[:, candidates.items]
    place = [candidates.items.tolist().index(item) for item in TRUTH.tolist()]
    scores = scores + candidates.log_weight
    loss = functional.cross_entropy(scores, torch.tensor(place), label_smoothing=penalties.label_smoothing)
    return loss + penalties.kl_weight * made["divergence"].mean()


@pytest.mark.parametrize("penalties", [NONE, SMOOTH, Penalties(kl_weight=0.5)], ids=["none", "smooth", "kl"])
@pytest.mark.parametrize("chunk", [1, 3 * N, 2**24])
def test_loss_and_gradients_are_those_of_the_whole_softmax(made, chunk, penalties, monkeypatch):
    monkeypatch.setattr(losses, "CHUNK_SCORES", chunk)
    expected = plain(made, penalties=penalties)
    gradients = torch.autograd.grad(expected, list(made.values()))
    found = run(made, penalties=penalties)
    assert found == pytest.approx(plain(made).item(), rel=1e-5), "penalties are learned from, but not told"
    for tensor, gradient in zip(made.values(), gradients, strict=True):
        got = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
        assert torch.allclose(got, gradient, atol=1e-6)


def test_gradients_of_a_sample_are_those_of_its_softmax(made):
    some = Candidates(torch.tensor([0, 1, 2, 3, 4, 5, 6, 9]), torch.linspace(0, 2, 8))
    expected = plain(made, some)
    gradients = torch.autograd.grad(expected, [made[name] for name in ("wanted", "said", "vectors", "biases")])
    assert run(made, some) == pytest.approx(expected.item(), rel=1e-5)
    for name, gradient in zip(("wanted", "said", "vectors", "biases"), gradients, strict=True):
        assert torch.allclose(made[name].grad, gradient, atol=1e-6)


def test_in_a_sample_truths_are_spread_over_all_that_its_candidates_stand_for(made):
    some = Candidates(torch.tensor([0, 1, 2, 3, 4, 5, 6, 9]), torch.tensor([0.0] * 7 + [math.log(4.0)]))
    scores = (made["wanted"] @ made["vectors"].T + made["biases"][ERA])[:, some.items] + some.log_weight
    known = pairs()
    dense = torch.zeros(Q, N).index_put((known.query, known.item), made["said"], accumulate=True)[:, some.items]
    log_p = torch.log_softmax(scores + dense, dim=1)
    even = torch.tensor([1.0] * 7 + [4.0]) / 11  # the last one stands for four items
    expected = -(0.9 * log_p[TRUTH, TRUTH] + 0.1 * (log_p * even).sum(dim=1)).mean()
    gradients = torch.autograd.grad(expected, [made[name] for name in ("wanted", "said", "vectors", "biases")])
    run(made, some, SMOOTH)
    for name, gradient in zip(("wanted", "said", "vectors", "biases"), gradients, strict=True):
        assert torch.allclose(made[name].grad, gradient, atol=1e-6)


def test_without_autograd_there_is_only_a_loss_and_no_penalty(made):
    with torch.no_grad():
        found = run(made, penalties=SMOOTH)
    assert found == pytest.approx(plain(made).item(), rel=1e-5)
    assert made["wanted"].grad is None


def test_no_query_costs_nothing(made):
    none = {name: tensor[:0] if name in ("wanted", "said", "divergence") else tensor for name, tensor in made.items()}
    assert run(none, truth=TRUTH[:0], known=no_pairs()) == 0.0


def test_without_memory_there_are_scores_all_the_same(made):
    found = run(made | {"said": made["said"][:0]}, known=no_pairs())
    scores = made["wanted"] @ made["vectors"].T + made["biases"][ERA]
    assert found == pytest.approx(functional.cross_entropy(scores, TRUTH).item(), rel=1e-5)
    assert torch.isfinite(made["wanted"].grad).all()


@pytest.mark.parametrize(
    "candidates", [ALL, Candidates(torch.tensor([0, 1, 2, 3, 4, 5, 6, 9]), torch.linspace(0, 2, 8))]
)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [1, 3 * N, 2**24])
def test_barred_items_share_no_softmax(made, chunk, smoothing, candidates, monkeypatch):
    """Also one that memory speaks of; gradients are those of a softmax without it, over which truths are spread too."""
    monkeypatch.setattr(losses, "CHUNK_SCORES", chunk)
    barred = Barred(torch.tensor([0, 0, 3, 5]), torch.tensor([9, 4, 6, 1]))
    known = pairs(barred)
    scores = made["wanted"] @ made["vectors"].T + made["biases"][ERA]
    scores = scores.index_put((known.query, known.item), made["said"], accumulate=True)[:, candidates.items]
    left = torch.ones(Q, N, dtype=torch.bool).index_put((barred.query, barred.item), torch.tensor(False))
    place = [candidates.items.tolist().index(item) for item in TRUTH.tolist()]
    expected, told = 0.0, 0.0
    for query, row in enumerate(left[:, candidates.items]):
        log_p = torch.log_softmax((scores[query] + candidates.log_weight)[row], dim=0)
        weight = torch.softmax(candidates.log_weight[row], dim=0)
        truth = -log_p[int(row[: place[query]].sum())]
        expected = expected + ((1 - smoothing) * truth - smoothing * (log_p * weight).sum()) / Q
        told += truth.item() / Q
    named = [made[name] for name in ("wanted", "said", "vectors", "biases")]
    gradients = torch.autograd.grad(expected, named)
    assert run(made, candidates, Penalties(label_smoothing=smoothing), known=known) == pytest.approx(told, rel=1e-5)
    for tensor, gradient in zip(named, gradients, strict=True):
        assert torch.allclose(tensor.grad, gradient, atol=1e-6)


# The items after each truth: all three, none, one, the truth again, one twice, and so on.
LATER = torch.tensor([[3, 5, 6], [-1, -1, -1], [-1, 4, -1], [3, -1, -1], [9, 9, 0], [0, 1, -1], [-1, -1, 2]])


def spread(query, share):
    """What each item is of the truth of a query, by hand."""
    weights = {place: losses.AHEAD_DECAY**place for place, item in enumerate(LATER[query].tolist()) if item >= 0}
    given = torch.zeros(N)
    given[TRUTH[query]] = 1 - share * bool(weights)
    for place, weight in weights.items():
        given[LATER[query, place]] += share * weight / sum(weights.values())
    return given


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [1, 3 * N, 2**24])
def test_a_share_of_each_truth_is_what_comes_after_it(made, chunk, smoothing, monkeypatch):
    """Only to be learned from: the loss that is told is that of the truths."""
    monkeypatch.setattr(losses, "CHUNK_SCORES", chunk)
    known = pairs()
    scores = made["wanted"] @ made["vectors"].T + made["biases"][ERA]
    log_p = torch.log_softmax(scores.index_put((known.query, known.item), made["said"], accumulate=True), dim=1)
    wanted = torch.stack([spread(query, 0.3) for query in range(Q)])
    expected = -(((1 - smoothing) * wanted + smoothing / N) * log_p).sum() / Q
    named = [made[name] for name in ("wanted", "said", "vectors", "biases")]
    gradients = torch.autograd.grad(expected, named)
    found = run(made, penalties=Penalties(label_smoothing=smoothing, ahead_share=0.3), later=LATER)
    assert found == pytest.approx(plain(made).item(), rel=1e-5)
    for tensor, gradient in zip(named, gradients, strict=True):
        assert torch.allclose(tensor.grad, gradient, atol=1e-6)


def test_what_comes_after_is_not_read_where_it_has_no_share(made):
    run(made, later=LATER)
    found = made["wanted"].grad
    made["wanted"].grad = None
    run(made)
    assert torch.equal(found, made["wanted"].grad)


def test_what_comes_after_and_is_no_candidate_is_left_out(made):
    some = Candidates(torch.tensor([0, 1, 2, 3, 4, 5, 6, 9]), torch.zeros(8))
    without = torch.where(torch.isin(LATER, some.items), LATER, -1)
    found = []
    for later in (torch.where(LATER == -1, 10, LATER), without):
        run(made, some, Penalties(ahead_share=0.3), later=later)
        found.append(made["wanted"].grad)
        made["wanted"].grad = None
    assert torch.equal(*found)


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


def test_what_is_said_of_no_candidate_is_not_added():
    logits = added(torch.zeros(2, 3), torch.tensor([1.0, 2.0, 4.0]), torch.tensor([0, 1, 1]), torch.tensor([2, -1, 0]))
    assert logits.tolist() == [[0.0, 0.0, 1.0], [4.0, 0.0, 0.0]]
