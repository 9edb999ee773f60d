"""How memory is trusted: what the memory features of an item add to its score, at a time and in a place.

`G(m, c) = phi(m, c) - phi(0, c)` with `phi(m, c) = w . z(m, c) + m . (A c)`: z are two layers over the features m of a
(query, item) pair and the context c of the query, and the second term lets the context weigh each feature by itself
(after Cheng et al., "Wide & deep learning for recommender systems", DLRS 2016, section 3). An item of which memory
knows nothing gets nothing.

Letters: Q queries, M pairs, m of them at items that the user has met, F features, O own ones, which come first and are
zero but for these m, C numbers of the context, H hidden units.
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

    def scaled(self, features: Tensor, columns: slice = slice(None)) -> Tensor:
        """Some columns of features in standard deviations from their mean, none farther than `FARTHEST`: [M, ...]."""
        return (features - self.mean[columns]).div_(self.deviation[columns]).clamp_(-FARTHEST, FARTHEST)

    def changes(self, features: Tensor, columns: slice = slice(None)) -> Tensor:
        """Scaled features less those of an item that memory cannot speak of, [M, ...]: zero for zero."""
        return self.scaled(features, columns).sub_(self.nothing()[:, columns])

    def nothing(self) -> Tensor:
        """The scaled features of an item that memory cannot speak of, [1, F]."""
        return self.scaled(torch.zeros_like(self.mean)[None])

    def forward(self, own: Tensor, common: Tensor, met: Tensor, query: Tensor, context: Tensor) -> Tensor:
        """What the features of pairs add to the scores, [M].

        Args:
            own: [m, O] as `changes` gives them: of the features these are most, and most pairs have none.
            common: [M, F - O] likewise.
            met: [m] which pairs the own features are of.
            query: [M] query of each pair.
            context: [Q, C].

        """
        sizes = [own.shape[1], common.shape[1]]
        into_own, into_common = torch.split_with_sizes(self.of_features.weight, sizes, dim=1)
        weigh_own, weigh_common = torch.split_with_sizes(self.weigh(context), sizes, dim=1)
        of_nothing = self.of_context(context) + self.of_features(self.nothing())  # [Q, H]
        nothing = self.deep(of_nothing)
        # On a CPU index_select copies whole rows, and adds up whole rows going back; indexing goes number by number.
        first = of_nothing.index_select(0, query) + common @ into_common.T
        first = first.index_add(0, met, own @ into_own.T)
        alone = (common * weigh_common.index_select(0, query)).sum(dim=1)
        alone = alone.index_add(0, met, (own * weigh_own.index_select(0, query[met])).sum(dim=1))
        said: Tensor = self.deep(first) - nothing[query] + alone
        return said

    def deep(self, first: Tensor) -> Tensor:
        """`w . z` of what comes into the first layer's units, [..., H] to [...]."""
        second = self.second(self.dropout(functional.gelu(first)))
        total: Tensor = self.last(self.dropout(functional.gelu(second)))[..., 0]
        return total

    def parts(self, change: Tensor, query: Tensor, context: Tensor) -> Mapping[str, Tensor]:
        """What each named part of all features [M, F], as `changes` gives them, adds [M]; they sum to `forward`.

        Parts are told one after the other, in their order, and each gets what the score then gains. What two parts say
        only together goes to the later one.
        """
        names = list(dict.fromkeys(self.parts_of))
        columns = [[n for n, part in enumerate(self.parts_of) if part == name] for name in names]
        weigh = self.weigh(context).index_select(0, query)
        told = self.of_context(context).index_select(0, query) + self.of_features(self.nothing())
        steps = [change[:, of_part] @ self.of_features.weight[:, of_part].T for of_part in columns]
        totals = self.deep(torch.stack([told, *steps], dim=1).cumsum(dim=1))  # [M, 1 + parts]
        alone = change * weigh
        return {name: totals[:, n + 1] - totals[:, n] + alone[:, columns[n]].sum(dim=1) for n, name in enumerate(names)}
