"""The settings that each peer is tuned over; the best on validation are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

Settings = Mapping[str, Any]


def grid(**values: Sequence[Any]) -> list[Settings]:
    """All combinations of the values, the last name's varying fastest.

    >>> grid(a=[1, 2], b=["x"])
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}]
    """
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]


# Peer to the module of this folder that scores it, and its settings.
PEERS: Mapping[str, tuple[str, list[Settings]]] = {
    "markov_1": ("markov", grid(steps=[1], decay=[1.0], shares=[False, True])),
    "markov_3": ("markov", grid(steps=[3], decay=[0.3, 0.5, 0.7, 0.9], shares=[False, True])),
    "bm25": ("bm25", grid(K=[50, 100, 200, 500], K1=[0.1, 0.5, 1.2, 100.0], B=[0.0, 0.3, 0.6, 0.8])),
    "als": (
        "als",
        grid(factors=[32, 64, 128], regularization=[1.0, 10.0, 30.0, 100.0], alpha=[1.0, 5.0, 20.0], iterations=[15]),
    ),
    "sasrec": (
        "sasrec",
        # With few users the default rate of 0.001 takes 15 epochs to where this one is after 6. One width, to save
        # time: this grid takes 4 minutes on two cores.
        grid(n_factors=[64], dropout_rate=[0.2, 0.5], batch_size=[16], lr=[0.003], epochs=[5, 10, 15, 20]),
    ),
}  # fmt: skip
