"""A yardstick: what is bought by the people who bought what you bought.

Letters: Q queries, N items, U users of the past.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from chronotope.train.counts import known_pairs
from chronotope.train.scoring import Catalogue, Floats, Queries, Users


class ItemNeighbours:
    """Scores by co-occurrence: `score(u, i) = sum_j n(u, j) cos(j, i)`, n the times that the query's user met j so far.

    `cos(j, i) = both / (sqrt(users of j * users of i) + shrink)`, with both the users who met the two (Sarwar et al.,
    "Item-based collaborative filtering", WWW 2001, section 3.1.1; the shrinkage of Bell and Koren, "Scalable
    collaborative filtering with jointly derived neighborhood interpolation weights", ICDM 2007, section 2.2). An item
    is its own neighbour, so what a user buys again and again stands high. Popularity breaks ties, with a weight that
    moves nothing else.
    """

    model_id = "item_neighbours"
    smoothing = 0.0

    def __init__(self, catalogue: Catalogue, met: sparse.csr_matrix, shrink: float) -> None:
        """Take the items, who met which of them [U, N], not zero where somebody did, and the shrinkage in users."""
        self.catalogue = catalogue
        met = sparse.csr_matrix((np.ones(met.nnz), met.indices, met.indptr), shape=met.shape)
        self.popular = 1e-5 * np.asarray(met.mean(axis=0)).ravel()  # [N]
        both = (met.T @ met).tocoo()
        users = both.diagonal()
        near = both.data / (np.sqrt(users[both.row] * users[both.col]) + shrink)
        self.near = sparse.csr_matrix((near, (both.row, both.col)), shape=both.shape)  # [N, N]

    def encode(self, users: Users, queries: Queries) -> Floats:
        """No states: [Q, 0]."""
        return np.empty((len(queries.user), 0), dtype=np.float32)

    def score(self, states: Floats, users: Users, queries: Queries) -> Floats:
        """The score of every item, [Q, N]; nothing after a query's known steps is read."""
        query, step = known_pairs(users, queries)
        pairs = (query, users.item[queries.user[query], step])
        profile = sparse.csr_matrix((np.ones(len(query)), pairs), shape=(len(queries.user), len(self.popular)))
        return ((profile @ self.near).toarray() + self.popular).astype(np.float32)
