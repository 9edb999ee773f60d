"""How memory is trusted: what the memory features of an item add to its score, at a time and in a place.

`G(m, c) = phi(m, c) - phi(0, c)` with `phi(m, c) = w . z(m, c) + m . (A c)`: z are two layers over the features m of a
(query, item) pair and the context c of the query, and the second term lets the context weigh each feature by itself
(after Cheng et al., "Wide & deep learning for recommender systems", DLRS 2016, section 3). An item of which memory
knows nothing gets nothing.

Letters: Q queries, M pairs, F features, C numbers of the context, H hidden units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

FARTHEST = 6.0  # standard deviations from the mean at which features are cut


class Trust(nn.Module):
    """The function G; `features` are the parts of the score that its F inputs belong to, in their order."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, features: Sequence[str], context: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.parts_of = list(features)
        self.of_features = nn.Linear(len(features), hidden)
        self.of_context = nn.Linear(context, hidden, bias=False)
        self.second = nn.Linear(hidden, hidden // 2)
        self.last = nn.Linear(hidden // 2, 1, bias=False)
        self.weigh = nn.Linear(context, len(features))
        nn.init.zeros_(self.weigh.weight)
        nn.init.zeros_(self.weigh.bias)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mean", torch.zeros(len(features)))
        self.register_buffer("deviation", torch.ones(len(features)))

    def measure(self, features: Tensor) -> None:
        """Take mean and deviation of features [M, F], from then on all are scaled with them."""
        if len(features) > 1:
            self.mean.copy_(features.mean(dim=0))
            self.deviation.copy_(features.std(dim=0) + 1e-3)

    def scaled(self, features: Tensor) -> Tensor:
        """Features [M, F] in standard deviations from their mean, none farther than `FARTHEST`."""
        return (features - self.mean).div_(self.deviation).clamp_(-FARTHEST, FARTHEST)

    def forward(self, even: Tensor, context: Tensor, query: Tensor) -> Tensor:
        """What scaled features [M, F] of pairs of the queries [M] add to the scores [M], in contexts [Q, C]."""
        base, weigh = self.of_context(context), self.weigh(context)  # [Q, H], [Q, F]
        nothing = self.phi(self.nothing(), base, weigh)
        # On a CPU index_select copies whole rows, and adds up whole rows going back; indexing goes number by number.
        of_query = [numbers.index_select(0, query) for numbers in (base, weigh)]
        said: Tensor = self.phi(even, *of_query) - nothing[query]
        return said

    def nothing(self) -> Tensor:
        """The scaled features of an item that memory cannot speak of, [1, F]."""
        return self.scaled(torch.zeros_like(self.mean)[None])

    def phi(self, even: Tensor, base: Tensor, weigh: Tensor) -> Tensor:
        """The function phi of features [M, F], or [1, F] for all; `base` [M, H], `weigh` [M, F] are the context's."""
        return self.deep(self.of_features(even) + base) + (even * weigh).sum(dim=1)

    def deep(self, first: Tensor) -> Tensor:
        """`w . z` of what comes into the first layer's units, [..., H] to [...]."""
        second = self.second(self.dropout(functional.gelu(first)))
        total: Tensor = self.last(self.dropout(functional.gelu(second)))[..., 0]
        return total

    def parts(self, even: Tensor, context: Tensor, query: Tensor) -> Mapping[str, Tensor]:
        """What each named part adds [M]; they sum to `forward`.

        Parts are told one after the other, in their order, and each gets what the score then gains. What two parts say
        only together goes to the later one.
        """
        names = list(dict.fromkeys(self.parts_of))
        columns = [[n for n, part in enumerate(self.parts_of) if part == name] for name in names]
        nothing, weigh = self.nothing(), self.weigh(context).index_select(0, query)
        change = even - nothing
        told = self.of_context(context).index_select(0, query) + self.of_features(nothing)
        steps = [change[:, of_part] @ self.of_features.weight[:, of_part].T for of_part in columns]
        totals = self.deep(torch.stack([told, *steps], dim=1).cumsum(dim=1))  # [M, 1 + parts]
        alone = change * weigh
        return {name: totals[:, n + 1] - totals[:, n] + alone[:, columns[n]].sum(dim=1) for n, name in enumerate(names)}
