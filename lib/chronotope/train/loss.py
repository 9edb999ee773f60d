"""Cross-entropy over the whole catalogue in bounded memory, or over a sample of it where it is very large.

Letters: Q queries, N items, C candidates, D size of item vectors, M (query, item) pairs of memory, E eras,
A steps ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from chronotope.train.barred import bar, mean_of_others
from chronotope.train.memory import Memory
from chronotope.train.space_time import Answer

AHEAD_DECAY = 0.7  # what a step further ahead counts beside the one before it
CHUNK_SCORES = 2**24  # scores in memory at a time: 64 MiB; their logarithms and gradients take as much each


@dataclass(frozen=True)
class Candidates:
    """The items that share a softmax: [C] items, ascending, and the log of what each stands for."""

    items: Tensor
    log_weight: Tensor


def everything(n_items: int, device: torch.device) -> Candidates:
    """All items, each for itself: the exact softmax."""
    return Candidates(torch.arange(n_items, device=device), torch.zeros(n_items, device=device))


def sampled(popularity: Tensor, certain: Tensor, size: int, generator: torch.Generator) -> Candidates:
    """The certain items, and about `size` others by Poisson sampling with their popularity.

    An item that was drawn with probability p stands for 1/p items, so its score gains log(1/p): the sum in the
    softmax's denominator is then unbiased (Horvitz and Thompson, JASA 47, 1952; the logQ correction of Bengio and
    Senécal, IEEE TNN 19, 2008, section 3, for sampling without replacement).

    Args:
        popularity: [N] positive.
        certain: items that must be there: targets, and what the memory features speak of.
        size: how many others are expected.
        generator: on the CPU.

    """
    share = popularity.cpu() ** 0.75
    chance = (size * share / share.sum()).clamp(max=1.0)
    drawn = torch.rand(len(chance), generator=generator) < chance
    chance = chance.masked_fill(torch.zeros_like(drawn).index_fill(0, certain.cpu(), True), 1.0)
    items = torch.nonzero(drawn | (chance >= 1.0)).flatten()
    return Candidates(items.to(popularity.device), -chance[items].log().to(popularity.device))


@dataclass(frozen=True)
class Penalties:
    """What is added to the cross-entropy."""

    label_smoothing: float = 0.0  # share of the truth that is spread evenly over all items that are not barred
    kl_weight: float = 0.0  # of the states' divergence from the unit Gaussian
    ahead_share: float = 0.0  # share of the truth that is spread over the steps after it, where there are any


def backward(
    answer: Answer,
    memory: Memory,
    vectors: Tensor,
    biases: Tensor,
    era: Tensor,
    truth: Tensor,
    candidates: Candidates,
    penalties: Penalties = Penalties(),
    later: Tensor | None = None,
) -> float:
    """The mean cross-entropy of the queries, with its gradient accumulated in everything that the inputs come from.

    The scores are made, and forgotten, a chunk of queries at a time: gradients of f, G, e and b are gathered at cut
    points, and passed on once at the end. Without autograd only the loss is computed, and without penalties.

    Args:
        answer: f and G of the queries.
        memory: the pairs that G is of, and what is barred: it shares no softmax.
        vectors: [N, D].
        biases: [E, N].
        era: [Q] which of the biases each query reads.
        truth: [Q] items; each must be a candidate, and not barred.
        candidates: which items share the softmax.
        penalties: what is added while learning.
        later: [Q, A] the items of the steps after the truths, -1 for none; none of them barred, and one that is no
            candidate is left out. None: none at all.

    """
    by_query = torch.argsort(memory.query, stable=True)
    query, item = memory.query[by_query], memory.item[by_query]
    inputs = [answer.wanted, answer.said[by_query], vectors[candidates.items], biases[:, candidates.items]]
    cuts = [tensor.detach().requires_grad_(torch.is_grad_enabled()) for tensor in inputs]
    place = torch.full((len(vectors),), -1, device=vectors.device)
    place[candidates.items] = torch.arange(len(candidates.items), device=vectors.device)
    smoothing = penalties.label_smoothing if torch.is_grad_enabled() else 0.0
    even = functional.softmax(candidates.log_weight, dim=0)  # a candidate stands for more than itself in a sample
    columns = place[truth][:, None]  # [Q, 1 + A] of what is told
    if later is not None and penalties.ahead_share and torch.is_grad_enabled():
        columns = torch.cat([columns, place[later.clamp(min=0)].masked_fill(later < 0, -1)], dim=1)
    rows = max(1, CHUNK_SCORES // len(candidates.items))
    total = 0.0
    for start in range(0, len(truth), rows):
        part = slice(start, start + rows)
        pairs = slice(*torch.searchsorted(query, torch.tensor([start, start + rows], device=query.device)).tolist())
        # The biases of the queries' eras come in with the product: one matrix of scores, and none of biases.
        asked = torch.cat([cuts[0][part], functional.one_hot(era[part], len(biases)).to(vectors.dtype)], dim=1)
        logits = asked @ torch.cat([cuts[2].T, cuts[3] + candidates.log_weight])
        logits = added(logits, cuts[1][pairs], query[pairs] - start, place[item[pairs]])
        barred = memory.barred.of_queries(start, start + rows)
        log_p = functional.log_softmax(bar(logits, barred, place), dim=1)
        # In one gather, for each brings a matrix of gradients of its own.
        both = log_p.gather(1, columns[part].clamp(min=0))
        told = both[:, 0]
        soon = with_later(told, both[:, 1:], columns[part, 1:] >= 0, penalties.ahead_share)
        loss = -((1 - smoothing) * soon).sum() / max(1, len(truth))
        if smoothing:
            loss = loss - smoothing * mean_of_others(log_p, even, barred, place).sum() / max(1, len(truth))
        total -= told.sum().item() / max(1, len(truth))
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types for it
    if torch.is_grad_enabled() and len(truth):
        gradients = [leaf.grad for leaf in cuts]
        if penalties.kl_weight:
            inputs.append(answer.divergence)
            gradients.append(torch.full_like(answer.divergence, penalties.kl_weight / len(truth)))
        torch.autograd.backward(inputs, gradients)
    return total


def with_later(told: Tensor, of_later: Tensor, there: Tensor, share: float) -> Tensor:
    """The truths' log-probabilities [Q] with a share of those of what comes later [Q, A], the nearest steps most.

    Where the order of steps is chance for the most part, learning what comes soon teaches more of people than learning
    what came first (after the dense all-action loss of Pancha et al., "PinnerFormer: sequence modeling for user
    representation at Pinterest", KDD 2022). Where nothing is `there` [Q, A] later the truth is all.
    """
    weight = there * AHEAD_DECAY ** torch.arange(there.shape[1], device=there.device)
    total = weight.sum(dim=1)
    ahead = (of_later * weight).sum(dim=1) / total.clamp(min=1e-6)
    return torch.lerp(told, ahead, share * (total > 0))


def added(logits: Tensor, said: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The scores [Q, C] with what is said [M] added in place at (row, column); a column of -1 is no candidate."""
    there = column >= 0
    # Into a flat view of them the gradient would be copied, all of it, on its way back.
    return logits.put_(row[there] * logits.shape[1] + column[there], said[there], accumulate=True)
