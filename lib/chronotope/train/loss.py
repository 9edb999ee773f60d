"""Cross-entropy over the whole catalogue in bounded memory, or over a sample of it where it is very large.

Letters: Q queries, N items, C candidates, D size of item vectors, W items of a memory block.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor
from torch.nn import functional

from chronotope.train.memory import Block
from chronotope.train.space_time import Answer

CHUNK_SCORES = 2**24  # scores in memory at a time: 64 MiB, and as much again for their gradient


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


def backward(
    answer: Answer, blocks: list[Block], vectors: Tensor, popular: Tensor, truth: Tensor, candidates: Candidates
) -> float:
    """The mean cross-entropy of the queries, with its gradient accumulated in everything that the inputs come from.

    The scores are made, and forgotten, a chunk of queries at a time: gradients of f, g, e and b are gathered at cut
    points, and passed on once at the end. Without autograd only the loss is computed.

    Args:
        answer: f and g of the queries.
        blocks: their memory features.
        vectors: [N, D].
        popular: [N] biases.
        truth: [Q] items; each must be a candidate.
        candidates: which items share the softmax.

    """
    inputs = [answer.wanted, answer.trust, vectors[candidates.items], popular[candidates.items]]
    cuts = [tensor.detach().requires_grad_(torch.is_grad_enabled()) for tensor in inputs]
    place = torch.full((len(vectors),), -1, device=vectors.device)
    place[candidates.items] = torch.arange(len(candidates.items), device=vectors.device)
    rows = max(1, CHUNK_SCORES // len(candidates.items))
    total = 0.0
    for start in range(0, len(truth), rows):
        part = slice(start, start + rows)
        logits = cuts[0][part] @ cuts[2].T + (cuts[3] + candidates.log_weight)
        add_blocks(logits, [b.rows(part) for b in blocks], cuts[1][part], place)
        loss = functional.cross_entropy(logits, place[truth[part]], reduction="sum") / max(1, len(truth))
        if loss.requires_grad:
            loss.backward()  # type: ignore[no-untyped-call]  # torch declares no types for it
        total += loss.item()
    if torch.is_grad_enabled() and len(truth):
        torch.autograd.backward(inputs, [leaf.grad for leaf in cuts])
    return total


def add_blocks(logits: Tensor, blocks: list[Block], trust: Tensor, place: Tensor | None = None) -> None:
    """Add what the memory blocks say to the scores [Q, C], in place.

    Args:
        logits: one column per candidate.
        blocks: features of some items of each query.
        trust: [Q, F] weights of all blocks' features, side by side.
        place: [N] column of each item, -1 for none; without it the columns are the items.

    """
    for block, said in zip(blocks, said_by(blocks, trust), strict=True):
        columns = block.columns if place is None else place[block.columns].masked_fill(block.columns < 0, -1)
        logits.scatter_add_(1, columns.clamp(min=0), said.masked_fill(columns < 0, 0.0))


def said_by(blocks: list[Block], trust: Tensor) -> list[Tensor]:
    """What each block adds to each of its items, [Q, W] each."""
    weights = by_block(blocks, trust)
    return [torch.einsum("qwf,qf->qw", block.features, w) for block, w in zip(blocks, weights, strict=True)]


def by_block(blocks: list[Block], trust: Tensor) -> list[Tensor]:
    """The weights [Q, F] of all blocks' features, cut by block."""
    ends = list(accumulate(len(block.parts) for block in blocks))
    return [trust[:, start:end] for start, end in zip([0, *ends], ends, strict=False)]
