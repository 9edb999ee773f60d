"""A trained space-time model as a `Scorer`: one matrix product per batch of queries, and what memory adds.

Letters: B users, Q queries, N items, C of them asked about, K chosen per query, M (query, item) pairs of memory, D size
of a state (see `SpaceTime.states`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from chronotope.config import TrainSettings
from chronotope.errors import ModelError
from chronotope.store.models import StoredModel, read_model, write_model
from chronotope.train.barred import NEVER, Barred, bar
from chronotope.train.inputs import Batch, batch_of
from chronotope.train.known import taken
from chronotope.train.loss import added
from chronotope.train.memory import FEATURES, Memory
from chronotope.train.moments import own_gaps
from chronotope.train.scoring import Catalogue, Floats, Ints, Last, Queries, Users, places_among
from chronotope.train.space_time import Answer, SpaceTime
from chronotope.train.tables import item_tables
from chronotope.train.untimed import Mixture, is_untimed

KIND = "space_time"
# What models of before these settings were there do: all items share their softmax, and they look one step ahead.
BEFORE = {"repeats": True, "ahead_share": 0.0, "half_lives_steps": []}
PARTS = ("interest", *dict.fromkeys(FEATURES.values()))


class SpaceTimeScorer:
    """Scores with one model on one device; item vectors are computed once."""

    def __init__(self, model_id: str, catalogue: Catalogue, model: SpaceTime, device: str = "cpu") -> None:
        self.model_id = model_id
        self.catalogue = catalogue
        self.smoothing = model.smoothing
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()
        self.tables = item_tables(catalogue, self.device)
        self._last = Last[tuple[Memory, Answer]]()
        with torch.no_grad():
            self.vectors = self.model.vectors()
            self.biases = self.model.biases(self.tables)[0]  # [N]
            self.with_bias = torch.cat([self.vectors, self.biases[:, None]], dim=1)  # [N, D + 1]

    @torch.no_grad()
    def encode(self, users: Users, queries: Queries) -> Floats:
        """The users' states after each query's known steps, [Q, D]; zeros for none."""
        return to_numpy(self.model.states(self.batch(users, queries), self.vectors))

    def score(self, states: Floats, users: Users, queries: Queries, among: Ints | None = None) -> Floats:
        """The score of every item asked about, [Q, C]; higher is better.

        Of a query without a time it is the logarithm of a probability: rows are not on one scale.
        """
        untimed = is_untimed(users, queries)
        if not untimed.any():
            return self.timed_score(states, users, queries, among)
        scores = np.empty((len(untimed), len(self.vectors)), np.float32)
        blended, rest = np.flatnonzero(untimed), np.flatnonzero(~untimed)
        scores[blended] = Mixture(self, states[blended], users, taken(queries, blended)).score()
        scores[rest] = self.timed_score(states[rest], users, taken(queries, rest), None)
        return scores if among is None else scores[:, among]

    def parts(
        self, states: Floats, users: Users, queries: Queries, items: Ints, among: Ints | None = None
    ) -> Mapping[str, Floats]:
        """What each of `PARTS` adds to the score of the chosen items [Q, K]: name to [Q, K]; zero for an item -1."""
        untimed = is_untimed(users, queries)
        if not untimed.any():
            return self.timed_parts(states, users, queries, items, among)
        blended, rest = np.flatnonzero(untimed), np.flatnonzero(~untimed)
        of_blended = Mixture(self, states[blended], users, taken(queries, blended)).parts(items[blended])
        of_rest = self.timed_parts(states[rest], users, taken(queries, rest), items[rest], None)
        order = np.argsort(np.concatenate([blended, rest]))
        return {name: np.concatenate([of_blended[name], of_rest[name]])[order] for name in PARTS}

    @torch.no_grad()
    def gaps(self, states: Floats, users: Users, queries: Queries) -> Floats:
        """The logarithms of the probabilities of the gaps until the next step, [Q, G] of `moments.GAPS_S`."""
        batch = self.batch(users, queries)
        return to_numpy(self.model.gaps(batch, self.to_device(states).float(), own_gaps(batch)))

    @torch.no_grad()
    def timed_score(self, states: Floats, users: Users, queries: Queries, among: Ints | None) -> Floats:
        """`score` of queries that are asked as they stand, see `is_untimed`."""
        known, answer = self.answer(states, users, queries, among)
        place = self.to_device(places_among(among, len(self.vectors)))
        weights = self.with_bias if among is None else self.with_bias[self.to_device(among)]
        scores = functional.pad(answer.wanted, (0, 1), value=1.0) @ weights.T
        return to_numpy(bar(added(scores, answer.said, known.query, place[known.item]), known.barred, place))

    @torch.no_grad()
    def timed_parts(
        self, states: Floats, users: Users, queries: Queries, items: Ints, among: Ints | None
    ) -> Mapping[str, Floats]:
        """`parts` of such queries."""
        known, answer = self.answer(states, users, queries, among)
        chosen = self.to_device(items)
        there = chosen >= 0
        index = chosen.clamp(min=0)
        parts = {name: torch.zeros(chosen.shape, device=self.device) for name in PARTS}
        parts["interest"] += torch.einsum("qkd,qd->qk", self.vectors[index], answer.wanted)
        parts["popular"] += self.biases[index]
        pair, found = pairs_of(known, index, len(self.vectors))
        found &= there
        if found.any():
            pair = pair[found]
            parts["interest"][found] *= ~known.is_met(pair)
            change = self.model.trust.changes(known.features(pair))
            told = self.model.trust.parts(change, known.query[pair], answer.context)
            for name, values in told.items():
                parts[name][found] += values
        _, never = pairs_of(known.barred, index, len(self.vectors))
        if never.any():
            parts = {name: values * ~never for name, values in parts.items()}
            parts["habit"] += NEVER * never
        return {name: to_numpy(values * there) for name, values in parts.items()}

    def answer(self, states: Floats, users: Users, queries: Queries, among: Ints | None) -> tuple[Memory, Answer]:
        """The memory of the queries, and the model's answer to them."""

        def make() -> tuple[Memory, Answer]:
            batch = self.batch(users, queries)
            known = self.model.remember(batch, self.tables, None if among is None else self.to_device(among))
            return known, self.model.answer(batch, self.to_device(states).float(), self.vectors, known)

        return self._last.of((states, users, queries, among), make)

    def batch(self, users: Users, queries: Queries) -> Batch:
        """Users and queries as tensors."""
        return batch_of(users, queries, self.tables, self.device)

    def to_device(self, array: Floats | Ints) -> Tensor:
        """An array as a tensor."""
        return torch.from_numpy(array).to(self.device)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the model's files into a folder.

        Args:
            folder: where to.
            about: the train settings (`settings`), and anything else worth keeping; plain JSON values.

        """
        half_lives = list(self.model.half_lives_days)
        described = {**about, "kind": KIND, "model_id": self.model_id, "half_lives_days": half_lives}
        write_model(folder, StoredModel(described, dict(self.model.state_dict()), self.catalogue))

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> SpaceTimeScorer:
        """The model in a folder, as `save` wrote it.

        Raises:
            ModelError: when the folder holds no space-time model, or one of another version of the code.

        """
        return cls.of(read_model(folder), device)

    @classmethod
    def of(cls, stored: StoredModel, device: str = "cpu") -> SpaceTimeScorer:
        """A model as it was stored.

        Raises:
            ModelError: when it is no space-time model, or one of another version of the code.

        """
        about = stored.about
        if about.get("kind") != KIND:
            raise ModelError(f"the model is of kind {about.get('kind')!r}, not {KIND!r}")
        tables = item_tables(stored.catalogue, torch.device("cpu"))
        try:
            long, short = about["half_lives_days"]
            train = TrainSettings.model_validate(BEFORE | about["settings"])
            model = SpaceTime(stored.catalogue, tables, train, (long, short))
            model.load_state_dict(stored.tensors)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ModelError(f"model {about['model_id']} is of another version: run stage train again") from error
        return cls(about["model_id"], stored.catalogue, model, device)


def pairs_of(known: Memory | Barred, items: Tensor, n_items: int) -> tuple[Tensor, Tensor]:
    """Which pair of a query and an item each chosen item [Q, K] is, and whether it is one: [Q, K] each."""
    keys = known.query * n_items + known.item
    if not len(keys):
        return torch.zeros_like(items), torch.zeros_like(items, dtype=torch.bool)
    ascending, order = torch.sort(keys)
    sought = torch.arange(len(items), device=items.device)[:, None] * n_items + items
    at = torch.searchsorted(ascending, sought).clamp(max=len(keys) - 1)
    return order[at], ascending[at] == sought


def to_numpy(tensor: Tensor) -> Floats:
    """A tensor as a NumPy array on the CPU."""
    array: Floats = tensor.cpu().numpy()
    return array
