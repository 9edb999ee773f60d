"""What a peer learns from: who met what in which order, as small integers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class History:
    """P steps, each user's together and in time order; U users and N items, every one of which occurs."""

    user: Ints  # [P] 0 to U - 1, ascending
    item: Ints  # [P] 0 to N - 1

    @classmethod
    def read(cls, path: Path) -> History:
        """The history in NumPy's file of [2, P] integers: users, items."""
        return cls(*np.load(path))

    @property
    def shape(self) -> tuple[int, int]:
        """U and N."""
        return int(self.user.max()) + 1, int(self.item.max()) + 1

    def matrix(self) -> sparse.csr_matrix:
        """How often each user met each item, [U, N] float32."""
        return sparse.csr_matrix((np.ones(len(self.user), np.float32), (self.user, self.item)), shape=self.shape)
