"""What everybody had done by the mornings of a split: counts of a refresh night, for the queries of its day.

Letters: Q queries, M mornings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.prepared import Stages
from benchmarks.trajectories import HISTORIES, Split, counted_to_s, end_of_past_s
from chronotope.train.past import counted_by
from chronotope.train.scoring import Catalogue, Ints


@dataclass(frozen=True)
class Mornings:
    """The catalogue of each morning, and which of them a query reads."""

    catalogues: Sequence[Catalogue]  # M
    of: Mapping[str, Ints]  # [Q] by history


def mornings(split: Split, catalogue: Catalogue, stages: Stages) -> Mornings:
    """The mornings of a split.

    Args:
        split: with the queries.
        catalogue: of the split's past.
        stages: that make histories of the log.

    """
    read_s = {history: counted_to_s(split, history) for history in HISTORIES}
    moments = np.unique(np.concatenate(list(read_s.values())))
    files = stages.history_files(split.log.drop(columns="past"), max_steps=len(split.log))
    by_then = counted_by(files, catalogue, moments, stages.settings.sessions.gap_s)[1:]
    past_s = end_of_past_s(split)
    return Mornings(
        [catalogue if counted.from_s == past_s else catalogue.as_of(counted) for counted in by_then],
        {history: np.searchsorted(moments, at_s) for history, at_s in read_s.items()},
    )
