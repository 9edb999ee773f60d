"""A trained model on a newer catalogue: tonight's lists show tonight's items, also between trainings.

Letters: N items of the newer catalogue, D size of item vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chronotope.store.models import StoredModel
from chronotope.train.scoring import Catalogue

# Tables of a space-time model whose row 0 stands for -1 (none or unknown), and whose other rows follow these names.
NAMED = {"action.table.weight": "actions", "regions.table.weight": "regions", "of_category.table.weight": "categories"}


def refreshed(stored: StoredModel, catalogue: Catalogue) -> StoredModel:
    """The same model, whatever its kind, over another catalogue; what both catalogues know keeps what was learned.

    An item that the model has not met starts as it would in training: no learned vector of its own, so that its
    text, category, region and place speak for it. A region, category or action that it has not met gets the vector
    of the unknown one. Texts embedded in another size than the model's (it was trained when no item had a text, say)
    are nothing to it.
    """
    about: Mapping[str, Any] = stored.about
    if not stored.tensors:
        return StoredModel(about, stored.tensors, catalogue)
    old = stored.catalogue
    tensors = dict(stored.tensors)
    places = positions(catalogue.item_ids, old.item_ids)
    known = places >= 0
    row = places.clamp(min=0)
    if "item.weight" in tensors:
        tensors["item.weight"] = tensors["item.weight"][row] * known[:, None]  # [N, D]
    for name, of in NAMED.items():
        before, now = sorted(set(getattr(old, of))), sorted(set(getattr(catalogue, of)))
        rows = torch.cat([torch.tensor([-1]), positions(now, before)]) + 1
        tensors[name] = tensors[name][rows]
    return StoredModel(about, tensors, readable(catalogue, old.embedding.shape[1]))


def readable(catalogue: Catalogue, size: int) -> Catalogue:
    """The catalogue with text embeddings of a size, [N, size]: its own, or zeros where it has another."""
    if catalogue.embedding.shape[1] == size:
        return catalogue
    return replace(catalogue, embedding=np.zeros((len(catalogue.item_ids), size), np.float32))


def positions(names: Sequence[str], known: Sequence[str]) -> Tensor:
    """Where each name stands among the known ones, -1 where it does not.

    >>> positions(["a", "b"], ["b", "c"]).tolist()
    [-1, 0]
    """
    place = {name: index for index, name in enumerate(known)}
    return torch.tensor([place.get(name, -1) for name in names], dtype=torch.int64)
