"""Items near the places of a user, over the border of a region."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from chronotope.places import EARTH_RADIUS_M
from chronotope.train.scoring import Catalogue, Doubles, Ints, Users


class Neighbours:
    """Finds the items within `near_m` metres of a place, exactly, at the poles and across the date line too.

    Points are unit vectors in space, where a great circle of d metres is a chord of 2 sin(d / 2R): a k-d tree
    (Bentley 1975) on them needs no special case anywhere on the sphere. Items without coordinates are no neighbours.
    """

    def __init__(self, catalogue: Catalogue, near_m: float):
        self.catalogue = catalogue
        self.items: Ints = np.flatnonzero(np.isfinite(catalogue.lat + catalogue.lon))
        self.tree = cKDTree(unit_vectors(catalogue.lat[self.items], catalogue.lon[self.items]))
        self.chord = 2 * np.sin(min(near_m / EARTH_RADIUS_M, np.pi) / 2)

    def across(self, users: Users, user: Ints, steps: Ints) -> sparse.coo_matrix:
        """The neighbours of S chosen steps that belong to another region than the step's, [S, N].

        Neighbours in the same region are left out, for they are candidates already: that keeps the matrix small
        where a city has hundreds of items within reach.

        Args:
            users: the batch of users.
            user: [S] row of the chosen step in the batch.
            steps: [S] its position in the history; steps without coordinates have no neighbours.
        """
        # Users of one region were at the same places: each is looked up once.
        visited = np.stack([users.lat[user, steps], users.lon[user, steps], users.region[user, steps]])  # [3, S]
        places, place = distinct(visited)  # [3, P], [S]
        lat, lon, region = places
        known = np.flatnonzero(np.isfinite(lat + lon))
        # Float noise must not push an item exactly at near_m out of reach; 1e-12 of a radius is 6 micrometres.
        found = cKDTree(unit_vectors(lat[known], lon[known])).sparse_distance_matrix(
            self.tree, self.chord + 1e-12, output_type="ndarray"
        )
        row, column = known[found["i"]], self.items[found["j"]]
        abroad = self.catalogue.region[column] != region[row]
        shape = (lat.size, len(self.catalogue.item_ids))
        near = sparse.csr_matrix((np.ones(abroad.sum(), bool), (row[abroad], column[abroad])), shape=shape)
        return near[place].tocoo()


def distinct(columns: Doubles) -> tuple[Doubles, Ints]:
    """The distinct columns of an array [R, S], in some order, and for each column which of them it is [S].

    >>> kept, which = distinct(np.array([[1.0, 2.0, 1.0], [5.0, 5.0, 5.0]]))
    >>> kept[:, which].tolist()
    [[1.0, 2.0, 1.0], [5.0, 5.0, 5.0]]
    """
    order = np.lexsort(columns)  # np.unique along an axis compares bytes, and takes seven times as long
    ascending = columns[:, order]
    first = np.ones(order.size, dtype=bool)
    first[1:] = (ascending[:, 1:] != ascending[:, :-1]).any(axis=0)  # NaN differs from NaN: those stay apart
    which = np.empty(order.size, dtype=np.int64)
    which[order] = np.cumsum(first) - 1
    return ascending[:, first], which


def unit_vectors(lat: Doubles, lon: Doubles) -> Doubles:
    """Points on the unit sphere, [P, 3], from degrees.

    >>> unit_vectors(np.array([0.0]), np.array([180.0])).round(6).tolist()
    [[-1.0, 0.0, 0.0]]
    """
    phi, theta = np.radians(lat), np.radians(lon)
    vectors: Doubles = np.column_stack([np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)])
    return vectors
