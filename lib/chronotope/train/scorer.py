"""A trained space-time model as a `Scorer`: one matrix product per batch of queries, and what memory adds.

Letters: B users, Q queries, N items, K items asked for, W items of a memory block, F memory features, D size of a
state (H of the LSTM and twice E of a text embedding).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from chronotope.config import TrainSettings
from chronotope.errors import ModelError
from chronotope.store.models import StoredModel, read_model, write_model
from chronotope.train.inputs import Batch, batch_of, item_tables
from chronotope.train.loss import add_blocks, by_block
from chronotope.train.memory import BLOCKS, Block, followers, memory
from chronotope.train.scoring import Catalogue, Floats, Ints, Queries, Users
from chronotope.train.space_time import SpaceTime

KIND = "space_time"
PARTS = ("interest", *dict.fromkeys(part for parts in BLOCKS for part in parts), "popular")


class SpaceTimeScorer:
    """Scores with one model on one device; item vectors are computed once."""

    def __init__(self, model_id: str, catalogue: Catalogue, model: SpaceTime, device: str = "cpu") -> None:
        self.model_id = model_id
        self.catalogue = catalogue
        self.device = torch.device(device)
        self.model = model.to(self.device).eval()
        self.tables = item_tables(catalogue, self.device)
        with torch.no_grad():
            self.vectors = self.model.vectors()

    @torch.no_grad()
    def encode(self, users: Users, queries: Queries) -> Floats:
        """The users' states after each query's known steps, [Q, D]; zeros for none."""
        return to_numpy(self.model.states(self.batch(users, queries), self.vectors))

    @torch.no_grad()
    def score(self, states: Floats, users: Users, queries: Queries) -> Floats:
        """The score of every item, [Q, N]; higher is better."""
        batch = self.batch(users, queries)
        answer = self.model.answer(batch, self.to_device(states), self.vectors)
        scores = torch.addmm(self.model.popular, answer.wanted, self.vectors.T)
        add_blocks(scores, self.memory(batch), answer.trust)
        return to_numpy(scores)

    @torch.no_grad()
    def parts(self, states: Floats, users: Users, queries: Queries, items: Ints) -> Mapping[str, Floats]:
        """What each of `PARTS` adds to the score of the chosen items [Q, K]: name to [Q, K]; zero for an item -1."""
        batch = self.batch(users, queries)
        answer = self.model.answer(batch, self.to_device(states), self.vectors)
        chosen = torch.from_numpy(items).to(self.device)
        there = chosen >= 0
        index = chosen.clamp(min=0)
        parts = {name: torch.zeros(chosen.shape, device=self.device) for name in PARTS}
        parts["interest"] += torch.einsum("qkd,qd->qk", self.vectors[index], answer.wanted)
        parts["popular"] += self.model.popular[index]
        blocks = self.memory(batch)
        for block, trust in zip(blocks, by_block(blocks, answer.trust), strict=True):
            same = (chosen[:, :, None] == block.columns[:, None, :]).float()  # [Q, K, W]
            for name in dict.fromkeys(block.parts):
                parts[name] += torch.einsum("qkw,qw->qk", same, said_for(name, block, trust))
        return {name: to_numpy(values * there) for name, values in parts.items()}

    def batch(self, users: Users, queries: Queries) -> Batch:
        """Users and queries as tensors."""
        return batch_of(users, queries, self.tables, self.device)

    def memory(self, batch: Batch) -> list[Block]:
        """The memory features of a batch."""
        return memory(batch, self.tables, self.model.half_lives_days, followers(batch, self.tables))

    def to_device(self, states: Floats) -> Tensor:
        """States as a tensor."""
        return torch.from_numpy(states).float().to(self.device)

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
        long, short = about["half_lives_days"]
        try:
            train = TrainSettings.model_validate(about["settings"])
            model = SpaceTime(stored.catalogue, tables, train, (long, short))
            model.load_state_dict(stored.tensors)
        except (RuntimeError, ValueError) as error:
            raise ModelError(f"model {about['model_id']} is of another version: run stage train again") from error
        return cls(about["model_id"], stored.catalogue, model, device)


def said_for(name: str, block: Block, trust: Tensor) -> Tensor:
    """What the features of one part add to each item of a block, [Q, W]; `trust` is [Q, F of the block]."""
    features = [at for at, part in enumerate(block.parts) if part == name]
    return torch.einsum("qwf,qf->qw", block.features[..., features], trust[:, features])


def to_numpy(tensor: Tensor) -> Floats:
    """A tensor as a NumPy array on the CPU."""
    array: Floats = tensor.cpu().numpy()
    return array
