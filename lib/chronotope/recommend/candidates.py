"""Which items may stand in a list: those that belong to the place, and those that this user reaches from it.

Letters: Q queries, N items, C distinct contexts (region and daypart), P pairs of a user and a region.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from chronotope.recommend.neighbours import Neighbours
from chronotope.train.past import largest_of_rows
from chronotope.train.scoring import Bools, Catalogue, Ints, Queries, Users


class Candidates:
    """The union of four sources, as a mask over the catalogue.

    In a list for a region stand: the items that belong to it or to no region at all, from which the model takes
    its own best; the `popular_size` items met there most often, at that daypart and at any; what the user met there
    before; and the neighbours in space of the places where the user was there. The last three admit items of another
    region, for a border between two H3 cells or two cities is no reason to hide the cafe across the street. Every
    other item of another region is left out. In a list without region (index -1) every item may stand.

    What is gone stands in no list, unless everything in the catalogue is.
    """

    def __init__(self, catalogue: Catalogue, popular_size: int, near_m: float):
        self.catalogue = catalogue
        self.offered: Bools = ~catalogue.gone | catalogue.gone.all()  # [N]
        n_dayparts = len(catalogue.dayparts)
        summed = sparse.kron(sparse.eye(1 + len(catalogue.regions)), np.ones((1, n_dayparts)), format="csr")
        popularity = catalogue.popularity @ sparse.diags(self.offered.astype(np.float32), format="csr")
        self.popular_by_daypart = largest_of_rows(popularity, popular_size)
        self.popular = largest_of_rows(summed @ popularity, popular_size)
        self.neighbours = Neighbours(catalogue, near_m)

    def mask(self, users: Users, queries: Queries, hidden: Bools | None) -> Bools:
        """Whether an item may stand in the list of a query, [Q, N]; every query has at least one.

        A list that would be empty looks beyond its region, and if the user has everything on offer, shows it again.

        Args:
            users: the batch of users.
            queries: the lists asked for.
            hidden: [B, N] items not to be shown to a user again; None for none.
        """
        mask = self.of_context(queries)
        n_regions = 1 + len(self.catalogue.regions)
        pairs, pair = np.unique(queries.user * n_regions + queries.region + 1, return_inverse=True)
        mask |= self.of_user(users, pairs // n_regions, pairs % n_regions - 1)[pair]
        mask &= self.offered
        return never_empty(mask, None if hidden is None else hidden[queries.user], self.offered)

    def of_user(self, users: Users, user: Ints, region: Ints) -> Bools:
        """The candidates that do not depend on the daypart, [P, N]: what users met in regions, and its neighbours."""
        mask = np.zeros((user.size, len(self.catalogue.item_ids)), dtype=bool)
        rows, steps = np.nonzero((users.region[user] == region[:, None]) & (region[:, None] >= 0))
        item = users.item[user[rows], steps]
        mask[rows[item >= 0], item[item >= 0]] = True
        near = self.neighbours.across(users, user[rows], steps)
        mask[rows[near.row], near.col] = True
        return mask

    def of_context(self, queries: Queries) -> Bools:
        """The candidates that do not depend on the user, [Q, N]: items of the region, and what is popular in it."""
        home, n_dayparts = self.catalogue.region, len(self.catalogue.dayparts)
        rows = (1 + queries.region) * n_dayparts + self.catalogue.daypart_of_slot[queries.slot]
        contexts, context = np.unique(rows, return_inverse=True)
        region = contexts[:, None] // n_dayparts - 1  # [C, 1]
        mask = (home == region) | (home < 0) | (region < 0)  # [C, N]
        for popular in (self.popular_by_daypart[contexts].tocoo(), self.popular[contexts // n_dayparts].tocoo()):
            mask[popular.row, popular.col] = True
        allowed: Bools = mask[context]
        return allowed


def never_empty(mask: Bools, hidden: Bools | None, offered: Bools) -> Bools:
    """The mask [Q, N] without hidden items [Q, N]; where none is left, the offered ones [N] not hidden; else those all.

    >>> hidden = np.array([[True, False, False], [True, True, False]])
    >>> mask = np.array([[True, False, False], [False, False, False]])
    >>> never_empty(mask, hidden, np.array([True, True, False])).tolist()
    [[False, True, False], [True, True, False]]
    """
    left: Bools = mask if hidden is None else mask > hidden
    empty = np.flatnonzero(~left.any(axis=1))
    if empty.size:
        left[empty] = offered if hidden is None else offered > hidden[empty]
        left[~left.any(axis=1)] = offered
    return left
