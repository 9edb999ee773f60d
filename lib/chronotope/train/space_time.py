"""The space-time model: `score_i = e_i . f(h_u, n_u, long_u, short_u, r_u, T, S) + G(m(u, i), c) + b_i(t)`.

The first term is left out for items that the user has met: of those memory knows more, and vectors learn them by heart.

`h_u` is the state of a sequence encoder (an LSTM by default) over the user's steps, `n_u` are means of the vectors of
the items that they met, decayed by steps (`train.half_lives_steps`; by default none), `long_u` and `short_u` are means
of the texts, decayed by days, `r_u` is what attention recalls of their own items, T and S are the target's time and
place, G is how memory is trusted in the context c (`chronotope.train.trust`), and b_i is told from what was popular,
and what trending, by the moment asked about: one that is learned for each item knows what people met after it.

Letters: B users, L steps, Q queries, M (query, item) pairs, N items, A eras, n half-lives in steps, E size of a text
embedding, D size of item vectors, H size of the encoder's state, F memory features, C numbers of the context.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from chronotope.config import TrainSettings
from chronotope.train.barred import met_items
from chronotope.train.encoders import Variational, encoder
from chronotope.train.inputs import Batch
from chronotope.train.layers import SlotVectors, Vectors, Waves
from chronotope.train.means import decayed_means, step_means
from chronotope.train.memory import ABOUT, FEATURES, OWN, Memory, memory, nothing
from chronotope.train.moments import Moments
from chronotope.train.recall import Recall
from chronotope.train.scoring import Catalogue
from chronotope.train.tables import ItemTables
from chronotope.train.trust import Trust

ACTION_DIM, REGION_DIM = 8, 16
LOG_DAY = 11.4  # log1p of a day in seconds: gaps and distances enter at about 1


@dataclass(frozen=True)
class Answer:
    """The parts of the scores of a batch of queries."""

    wanted: Tensor  # [Q, D], f
    said: Tensor  # [M], G, less e . f where the item is met
    context: Tensor  # [Q, C], c
    divergence: Tensor  # [Q] nats, zero without a variational head


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
        self.smoothing = settings.label_smoothing
        self.half_lives_days, self.repeats = half_lives_days, settings.repeats
        self.half_lives_steps, self.max_steps = settings.half_lives_steps, settings.max_steps
        means, text = len(self.half_lives_steps) * dim, catalogue.embedding.shape[1]
        self.sizes = (hidden, means, text, text)  # of what `states` keeps
        self.has_sequence, self.has_memory = settings.sequence, settings.memory
        self.waves = Waves(tables.place)
        self.slot = SlotVectors()
        self.action = Vectors(len(catalogue.actions), ACTION_DIM)
        self.regions = Vectors(len(catalogue.regions), REGION_DIM)
        self.item = nn.Embedding(len(catalogue.item_ids), dim) if settings.own_vectors else None
        if self.item:
            nn.init.normal_(self.item.weight, std=0.05)
        self.describe_items(catalogue, tables, dim)
        # What b makes of the logarithms of an item's shares of all events, and of the trending ones.
        self.popular = nn.Parameter(torch.tensor([1.0, 0.0]))
        size = dim + ACTION_DIM + self.slot.size + REGION_DIM + 4
        self.encoder = encoder(settings.encoder, size, hidden, settings.dropout, settings.max_steps)
        self.variational = Variational(hidden) if settings.kl_weight else None
        self.dropout = nn.Dropout(settings.dropout)
        # The context is the state, T, S and some numbers; f reads the means, what is recalled, and the step before too.
        context = hidden + self.slot.size + REGION_DIM + 5 + len(ABOUT)
        asked = context + means + 4 * dim + self.waves.size
        drop = nn.Dropout(settings.dropout)
        self.want = nn.Sequential(nn.Linear(asked, 2 * dim), nn.GELU(), drop, nn.Linear(2 * dim, dim), drop)
        self.recall = Recall(len(FEATURES))
        self.trust = Trust(list(FEATURES.values()), context, settings.trust_hidden, settings.trust_dropout)
        self.moments = Moments(hidden)

    def describe_items(self, catalogue: Catalogue, tables: ItemTables, dim: int) -> None:
        """What is known of the items, and the layers that turn it into vectors."""
        codes = {name: code for code, name in enumerate(sorted(set(catalogue.categories)))}
        category = torch.tensor([codes[name] for name in catalogue.categories])
        self.register_buffer("text", torch.from_numpy(catalogue.embedding), persistent=False)
        self.register_buffer("category", category, persistent=False)
        self.register_buffer("region", torch.from_numpy(catalogue.region), persistent=False)
        self.register_buffer("place", tables.place, persistent=False)
        self.has_text = bool(catalogue.embedding.any())
        self.of_text = nn.Linear(catalogue.embedding.shape[1], dim, bias=False)
        if not self.has_text:  # what learned without texts takes nothing from those that a later catalogue has
            nn.init.zeros_(self.of_text.weight)
        self.of_category = Vectors(len(codes), dim)
        self.of_region = nn.Linear(REGION_DIM, dim, bias=False)
        self.of_place = nn.Linear(self.waves.size, dim, bias=False)

    def vectors(self) -> Tensor:
        """The item vectors e [N, D]: told by text, category, region and place, with a learned part or without."""
        told = self.of_category(self.category) + self.of_region(self.regions(self.region))
        vectors: Tensor = told + self.told_by(self.text) + self.of_place(self.waves(self.place))
        return vectors + self.item.weight if self.item else vectors

    def told_by(self, texts: Tensor) -> Tensor:
        """What texts tell [..., D], of their embeddings [..., E]; zeros, at no cost, where no item has a text."""
        told: Tensor = self.of_text(texts) if self.has_text else texts.new_zeros(())
        return told.expand(*texts.shape[:-1], self.of_text.out_features)

    def biases(self, tables: ItemTables) -> Tensor:
        """The biases b of the items as of each era [A, N]: zero for one that is as popular, and trending, as all."""
        shares = torch.stack([tables.log_share, tables.log_trending], dim=-1) + math.log(len(self.text))
        biases: Tensor = shares @ self.popular
        return biases

    def remember(self, batch: Batch, tables: ItemTables, among: Tensor | None = None) -> Memory:
        """What the queries of a batch know of single items; a model without memory does not look.

        Where nobody comes back to an item, those that were met are barred.
        Items that are neither met nor in `among` [C] are left out; None leaves out none.
        """
        known = memory(batch, tables, among) if self.has_memory else nothing(batch)
        return known if self.repeats else replace(known, barred=met_items(batch))

    def states(self, batch: Batch, vectors: Tensor) -> Tensor:
        """What is kept of each query's known steps [Q, H + nD + 2E]: encoder state, means by steps, then by days.

        Zeros for none. The former means are of the item vectors, with n half-lives; the latter, long and short, of the
        texts. A query from whose steps some are hidden gets neither state nor the former, which have read them.
        """
        met = vectors[batch.item.clamp(min=0)].masked_fill((batch.item < 0)[..., None], 0.0)
        means = step_means(met, batch.item >= 0, self.half_lives_steps, self.max_steps)
        read = torch.cat([batch.at_last(self.encoder(self.steps(batch, met))), batch.at_last(means)], dim=-1)
        told = (batch.known > 0) & (batch.hidden_to == batch.hidden_from) & self.has_sequence
        texts = read.new_zeros(len(read), sum(self.sizes[2:]))
        if self.has_text:
            texts = decayed_means(batch, self.text, self.half_lives_days)
        return torch.cat([read * told[:, None], texts], dim=-1)

    def steps(self, batch: Batch, met: Tensor) -> Tensor:
        """The encoder's inputs [B, L, ...], of the item vectors met [B, L, D]."""
        numbers = [scaled(batch.gap_s), batch.gap_s.isnan(), scaled(batch.distance_m), batch.distance_m.isnan()]
        told = [met, self.action(batch.action), self.slot(batch.slot), self.regions(batch.region)]
        steps: Tensor = self.dropout(torch.cat([*told, torch.stack([n.float() for n in numbers], dim=-1)], dim=-1))
        return steps

    def answer(self, batch: Batch, states: Tensor, vectors: Tensor, known: Memory) -> Answer:
        """What the queries want f [Q, D], and what their memory says of single items G [M].

        The item, place and time of the step just before are read where `previous_known` allows it, else they are zero.
        """
        state, lately, long, short = torch.split_with_sizes(states, self.sizes, dim=1)
        divergence = states.new_zeros(len(states))
        if self.variational:
            state, divergence = self.variational(state)
        context = self.context(batch, self.dropout(state), known)
        own = self.trust.changes(known.own, slice(len(OWN)))
        common = self.trust.changes(known.common, slice(len(OWN), None))
        met, query = vectors.index_select(0, known.item[known.met]), known.query[known.met]
        of_met = torch.cat([own, common.index_select(0, known.met)], dim=1)
        recalled = self.recall(of_met, query, met, len(states))
        just = batch.previous_known[:, None]
        previous = vectors[batch.previous.clamp(min=0)] * (batch.previous >= 0)[:, None]
        place = self.waves(batch.at_last(batch.place)) * just
        means = [self.dropout(lately), self.told_by(long), self.told_by(short)]
        asked = [context, *means, recalled, previous, place]
        wanted = self.want(torch.cat(asked, dim=-1)) * self.has_sequence
        familiar = (met * wanted.index_select(0, query)).sum(dim=1)
        said = self.trust(own, common, known.met, known.query, context).index_add(0, known.met, -familiar)
        return Answer(wanted, said, context, divergence)

    def gaps(self, batch: Batch, states: Tensor, own: Tensor) -> Tensor:
        """The logarithms of the probabilities of the gaps until the next step [Q, G], see `Moments`."""
        log_p: Tensor = self.moments(batch, states[:, : self.sizes[0]], own)
        return log_p

    def context(self, batch: Batch, state: Tensor, known: Memory) -> Tensor:
        """The context c of the queries [Q, C]: state, time, place, and how much is known."""
        just = batch.previous_known[:, None]
        gap = scaled((batch.asked_s - batch.at_last(batch.at_s)).clamp(min=0).float())[:, None] * just
        fresh = torch.exp(-4 * gap) * just  # gaps of minutes differ more than gaps of days
        there = (batch.asked_region >= 0)[:, None]
        numbers = [just.float(), batch.slot_known[:, None].float(), gap, fresh, there.float(), known.about]
        return torch.cat([state, self.slot(batch.asked_slot), self.regions(batch.asked_region), *numbers], dim=-1)


def scaled(amount: Tensor) -> Tensor:
    """log1p of seconds or metres, about 1 for a day or for 90 km; zero where unknown (NaN)."""
    return amount.clamp(min=0).log1p().nan_to_num(nan=0.0) / LOG_DAY
