"""Attention over the user's own past: the items that fit the time, the place and what came just before.

`r_u = sum over own items i of a_i e_i`, `a = softmax_i(w . m(u, i))`: the memory features m are the similarities by
slot, place, recency and succession, and w is learned (after Luo, Liu and Liu, "STAN: spatio-temporal attention network
for next location recommendation", WWW 2021, section 4.3, on items instead of single visits).

Letters: Q queries, m pairs of a query and an item that the user has met, F features, D size of item vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Recall(nn.Module):
    """The vector r of each query."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.fit = nn.Linear(features, 1, bias=False)
        nn.init.zeros_(self.fit.weight)

    def forward(self, features: Tensor, query: Tensor, vectors: Tensor, n_queries: int) -> Tensor:
        """The weighted means [Q, D] of the vectors [m, D] of the items met; zeros where there is none.

        Args:
            features: [m, F], scaled; a softmax does not see what is taken from all of them.
            query: [m] query of each pair.
            vectors: [m, D] of the pairs' items.
            n_queries: Q.

        """
        fit = self.fit(features)[:, 0]
        most = torch.full((n_queries,), -1e30, device=fit.device).scatter_reduce(0, query, fit.detach(), "amax")
        powers = torch.exp(fit - most[query])
        total = torch.zeros(n_queries, device=fit.device).index_add(0, query, powers)
        weights = powers / total.clamp(min=1e-30)[query]
        none = torch.zeros(n_queries, vectors.shape[1], device=fit.device)
        return none.index_add(0, query, weights[:, None] * vectors)
