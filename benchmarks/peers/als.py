"""implicit's alternating least squares (Hu, Koren and Volinsky, ICDM 2008), on the processor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from implicit.cpu.als import AlternatingLeastSquares

from benchmarks.peers.history import History


def scores(history: History, settings: Sequence[Mapping[str, Any]], seed: int) -> Iterator[np.ndarray]:
    """Every user's score of every item, [U, N], for each of the settings: the constructor's arguments."""
    for chosen in settings:
        model = AlternatingLeastSquares(**chosen, random_state=seed)
        model.fit(history.matrix(), show_progress=False)
        yield model.user_factors @ model.item_factors.T
