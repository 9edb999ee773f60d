"""The space-time LSTM: `score_i = e_i . f(h_u, long_u, short_u, T, S) + g(T, S) . m(u, i) + b_i`.

The sequence encoder is an LSTM (Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997,
section 4) over a user's steps; the softmax over items follows from its state, the target's time T and place S.

Letters: B users, L steps, Q queries, N items, E size of a text embedding, D size of item vectors, H size of the
LSTM's state, F memory features.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from chronotope.config import TrainSettings
from chronotope.train.inputs import Batch, ItemTables
from chronotope.train.layers import SlotVectors, Vectors, Waves
from chronotope.train.memory import DAY_S, FEATURES, summed
from chronotope.train.scoring import Catalogue

ACTION_DIM, REGION_DIM = 8, 16
TRUST_HIDDEN = 32  # hidden units of g: about as many as it has inputs and outputs
START_WEIGHT = 0.2  # of every memory feature: before training, what was met often and lately ranks higher
LOG_DAY = 11.4  # log1p of a day in seconds: gaps and distances enter at about 1


@dataclass(frozen=True)
class Answer:
    """The factors of the scores of a batch of queries."""

    wanted: Tensor  # [Q, D], f
    trust: Tensor  # [Q, F], g


class SpaceTime(nn.Module):
    """The model; the shapes of its parameters depend on the catalogue's sizes and on the settings only."""

    text: Tensor
    category: Tensor
    region: Tensor
    place: Tensor

    def __init__(
        self, catalogue: Catalogue, tables: ItemTables, settings: TrainSettings, half_lives_days: tuple[float, float]
    ) -> None:
        super().__init__()
        dim, hidden = settings.dim, settings.hidden
        self.half_lives_days = half_lives_days
        self.waves = Waves(tables.place)
        self.slot = SlotVectors()
        self.action = Vectors(len(catalogue.actions), ACTION_DIM)
        self.regions = Vectors(len(catalogue.regions), REGION_DIM)
        self.item = nn.Embedding(len(catalogue.item_ids), dim)
        nn.init.normal_(self.item.weight, std=0.05)
        self.describe_items(catalogue, tables, dim)
        self.popular = nn.Parameter(log_popularity(catalogue))
        self.lstm = nn.LSTM(dim + ACTION_DIM + self.slot.size + REGION_DIM + 4, hidden, batch_first=True)
        self.dropout = nn.Dropout(settings.dropout)
        # f reads the state, the long and short means, the item before and its place, T, S and three numbers.
        asked = hidden + 3 * dim + self.waves.size + self.slot.size + REGION_DIM + 3
        drop = nn.Dropout(settings.dropout)
        self.want = nn.Sequential(nn.Linear(asked, 2 * dim), nn.GELU(), drop, nn.Linear(2 * dim, dim))
        self.trust = nn.Sequential(nn.Linear(self.slot.size + 5, TRUST_HIDDEN), nn.Tanh())
        self.trust_out = nn.Linear(TRUST_HIDDEN, FEATURES)
        nn.init.zeros_(self.trust_out.weight)
        nn.init.constant_(self.trust_out.bias, START_WEIGHT)

    def describe_items(self, catalogue: Catalogue, tables: ItemTables, dim: int) -> None:
        """What is known of the items, and the layers that turn it into vectors."""
        codes = {name: code for code, name in enumerate(sorted(set(catalogue.categories)))}
        category = torch.tensor([codes[name] for name in catalogue.categories])
        self.register_buffer("text", torch.from_numpy(catalogue.embedding), persistent=False)
        self.register_buffer("category", category, persistent=False)
        self.register_buffer("region", torch.from_numpy(catalogue.region), persistent=False)
        self.register_buffer("place", tables.place, persistent=False)
        self.of_text = nn.Linear(catalogue.embedding.shape[1], dim, bias=False)
        self.of_category = Vectors(len(codes), dim)
        self.of_region = nn.Linear(REGION_DIM, dim, bias=False)
        self.of_place = nn.Linear(self.waves.size, dim, bias=False)

    def vectors(self) -> Tensor:
        """The item vectors e [N, D]: learned, and projected from text, category, region and place."""
        told = self.of_text(self.text) + self.of_category(self.category) + self.of_region(self.regions(self.region))
        vectors: Tensor = self.item.weight + told + self.of_place(self.waves(self.place))
        return vectors

    def states(self, batch: Batch, vectors: Tensor) -> Tensor:
        """What is kept of each query's known steps [Q, H + 2E]: LSTM state, long and short mean; zeros for none."""
        met = vectors[batch.item.clamp(min=0)].masked_fill((batch.item < 0)[..., None], 0.0)
        hidden, _ = self.lstm(self.steps(batch, met))
        state = batch.at_last(hidden) * (batch.known > 0)[:, None]
        return torch.cat([state, decayed_means(batch, self.text, self.half_lives_days)], dim=-1)

    def steps(self, batch: Batch, met: Tensor) -> Tensor:
        """The LSTM's inputs [B, L, ...], of the item vectors met [B, L, D]."""
        numbers = [scaled(batch.gap_s), batch.gap_s.isnan(), scaled(batch.distance_m), batch.distance_m.isnan()]
        told = [met, self.action(batch.action), self.slot(batch.slot), self.regions(batch.region)]
        steps: Tensor = self.dropout(torch.cat([*told, torch.stack([n.float() for n in numbers], dim=-1)], dim=-1))
        return steps

    def answer(self, batch: Batch, states: Tensor, vectors: Tensor) -> Answer:
        """What the queries want f [Q, D], and how much each memory feature counts for them g [Q, F].

        The item, place and time of the step just before are read where `previous_known` allows it, else they are zero.
        """
        just = batch.previous_known[:, None]
        previous = vectors[batch.previous.clamp(min=0)] * (batch.previous >= 0)[:, None]
        place = self.waves(batch.at_last(batch.place)) * just
        gap = scaled((batch.asked_s - batch.at_last(batch.at_s)).clamp(min=0).float())[:, None] * just
        many = (batch.known.float() + 1).log()[:, None] / 4
        slot, numbers = self.slot(batch.asked_slot), torch.cat([just.float(), gap, many], dim=-1)
        size = self.lstm.hidden_size
        long, short = states[:, size:].chunk(2, dim=-1)
        history = [self.dropout(states[:, :size]), self.of_text(long), self.of_text(short)]
        asked = torch.cat([*history, previous, place, slot, self.regions(batch.asked_region), numbers], dim=-1)
        there = (batch.asked_region >= 0).float()[:, None]
        fresh = torch.exp(-4 * gap) * just  # gaps of minutes differ more than gaps of days
        return Answer(self.want(asked), self.trust_out(self.trust(torch.cat([slot, numbers, there, fresh], dim=-1))))


def decayed_means(batch: Batch, vectors: Tensor, half_lives_days: tuple[float, ...]) -> Tensor:
    """Means of the item vectors [N, E] over each query's known steps, one per half-life side by side: [Q, n E].

    `mean = sum_s 2^(-(t_last - t_s)/half_life) x_s / sum_s 2^(-(t_last - t_s)/half_life)`, over the known steps s of
    items that the catalogue knows; zeros where there is none. Ages count from the last known step, so that the newest
    weighs 1 and long absences leave the mean as it is.
    """
    steps = torch.arange(batch.item.shape[1], device=batch.item.device)
    known = (steps < batch.known[:, None]) & (batch.item[batch.user] >= 0)
    age_days = ((batch.at_last(batch.at_s)[:, None] - batch.at_s[batch.user]).clamp(min=0) / DAY_S).float()
    weights = torch.stack([torch.exp2(-age_days / days) * known for days in half_lives_days], dim=1)
    own = batch.own[batch.user].clamp(min=0)
    shares = summed(weights, batch.turn[batch.user], own.shape[1])
    shares = shares / shares.sum(dim=2, keepdim=True).clamp(min=1e-30)
    means = [
        functional.embedding_bag(own, vectors, per_sample_weights=shares[:, n].contiguous(), mode="sum")
        for n in range(len(half_lives_days))
    ]
    return torch.cat(means, dim=-1)


def scaled(amount: Tensor) -> Tensor:
    """log1p of seconds or metres, about 1 for a day or for 90 km; zero where unknown (NaN)."""
    return amount.clamp(min=0).log1p().nan_to_num(nan=0.0) / LOG_DAY


def log_popularity(catalogue: Catalogue) -> Tensor:
    """Where the bias b starts [N]: the log of each item's events over the mean, with one event more for everybody."""
    events = catalogue.popularity[: len(catalogue.dayparts)].sum(axis=0)
    counts = torch.tensor(events, dtype=torch.float32).flatten() + 1.0
    return (counts / counts.mean()).log()
