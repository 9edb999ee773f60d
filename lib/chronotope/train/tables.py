"""What everybody did, as tables that the model looks up: followers, neighbours, and what is popular.

A table has one part per era: what had been counted by some moment. A trained model that serves has one era, its
catalogue's; in training a query reads the last era that had ended before it, for counts that include its own answer, or
that are short by just that answer, would tell it.

Letters: N items, E eras, S successors kept per item, M neighbours kept per item, R regions, T items kept as popular,
V kept as trending, D dayparts, C categories.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.spatial import cKDTree
from torch import Tensor

from chronotope.places import EARTH_RADIUS_M
from chronotope.train.scoring import Catalogue, Counted, Floats, Ints

MAX_NEIGHBOURS = 32  # the nearest items kept per item: a block of shops; what is farther is told by regions and places
MAX_SUCCESSORS = 40
MAX_POPULAR = 30  # per region, and overall
MAX_TRENDING = 20  # two lists of ten: a list for somebody unknown may be made of them alone
NEIGHBOUR_M = 2000.0  # an item farther than this is no neighbour, however empty the land
DAYPART_PRIOR = 5.0  # events of an item's category that are mixed into the item's own dayparts
VISITOR_PRIOR = 2.0  # visitors who come as often as an item's category is visited, mixed into the item's own


@dataclass(frozen=True)
class Lookup:
    """Values of pairs by sorted keys."""

    keys: Tensor  # ascending
    values: Tensor

    def of(self, keys: Tensor) -> Tensor:
        """The values of keys [...]; zero where there is none."""
        if not len(self.keys):
            return torch.zeros(keys.shape, device=keys.device)
        at = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        return torch.where(self.keys[at] == keys, self.values[at], 0.0)

    @classmethod
    def of_matrices(cls, matrices: Sequence[sparse.csr_matrix], device: torch.device) -> Lookup:
        """The entries of E matrices [A, B] under the keys `(era * A + row) * B + column`."""
        keys, values = [], []
        for era, matrix in enumerate(matrices):
            entries = matrix.tocoo()
            key = (era * matrix.shape[0] + entries.row.astype(np.int64)) * matrix.shape[1] + entries.col
            order = np.argsort(key)
            keys.append(key[order])
            values.append(entries.data[order].astype(np.float32))
        arrays = (np.concatenate(keys), np.concatenate(values))
        return cls(*[torch.from_numpy(array).to(device) for array in arrays])


@dataclass(frozen=True)
class ItemTables:
    """What the memory features look up."""

    from_s: Tensor  # [E] float64 epoch seconds from when on each era may be read, ascending
    place: Tensor  # [N, 3] metres from the centre of the Earth, NaN where unknown
    category: Tensor  # [N] number of its category
    n_kinds: int  # C
    region: Tensor  # [N] -1 for none
    daypart: Tensor  # [168] index of each slot's daypart
    neighbour: Tensor  # [N, M] nearest items, -1 for none
    successor: Tensor  # [E, N, S] the items that followed most often, -1 for none
    followed: Lookup  # (era, item, item after) -> how often
    leaves: Tensor  # [E, N] how often anything followed
    popular: Tensor  # [E, 1 + R, T] the items with most events, everywhere and by region, -1 for none
    trending: Tensor  # [E, V] the items with most events lately, -1 for none
    log_share: Tensor  # [E, N] logarithm of an item's share of all events
    log_trending: Tensor  # [E, N] the same of the events of late
    log_daypart: Tensor  # [E, N, D] logarithm of a daypart's share of the item's events
    log_visits: Tensor  # [E, N] logarithm of an item's events per user who met it
    log_visits_of_kind: Tensor  # [E, C] the same of a category's events and pairs of an item and a user who met it

    def eras(self, at_s: Tensor) -> Tensor:
        """The era that each moment may read; the first one for earlier moments than that."""
        return (torch.searchsorted(self.from_s, at_s, right=True) - 1).clamp(min=0)


def item_tables(catalogue: Catalogue, device: torch.device, eras: Sequence[Counted] = ()) -> ItemTables:
    """The tables of a catalogue on a device.

    Args:
        catalogue: its items, and what it counted where no eras are given.
        device: where the tables go.
        eras: what had been counted by some moments, earliest first.

    """
    now = catalogue
    eras = eras or [Counted(-np.inf, now.popularity, now.transitions, now.visitors, now.trending)]
    place = metres_of(catalogue.lat, catalogue.lon)
    kinds, category = np.unique(np.array(catalogue.categories, dtype=object), return_inverse=True)
    of_kind = sparse.csr_matrix(
        (np.ones(len(category), np.float32), (np.arange(len(category)), category)), shape=(len(category), len(kinds))
    )
    n_dayparts = len(catalogue.dayparts)
    visits = [log_visits(era.popularity[:n_dayparts], era.visitors, of_kind) for era in eras]
    dense = {
        "from_s": np.array([era.from_s for era in eras], dtype=np.float64),
        "place": place,
        "category": category.astype(np.int64),
        "region": catalogue.region,
        "daypart": catalogue.daypart_of_slot,
        "neighbour": neighbours(place),
        "successor": np.stack(padded_alike([likeliest(era.transitions, MAX_SUCCESSORS) for era in eras])),
        "leaves": np.stack([row_sums(era.transitions) for era in eras]),
        "popular": np.stack(padded_alike([popular(era.popularity, n_dayparts) for era in eras])),
        "trending": np.concatenate(padded_alike([likeliest(row_of(era.trending), MAX_TRENDING) for era in eras])),
        "log_share": np.stack([log_share(era.popularity[:n_dayparts].sum(axis=0)) for era in eras]),
        "log_trending": np.stack([log_share(era.trending) for era in eras]),
        "log_daypart": np.stack([log_daypart(era.popularity[:n_dayparts], of_kind) for era in eras]),
        "log_visits": np.stack([of_item for of_item, _ in visits]),
        "log_visits_of_kind": np.stack([of_category for _, of_category in visits]),
    }
    return ItemTables(
        followed=Lookup.of_matrices([era.transitions for era in eras], device),
        n_kinds=len(kinds),
        **{name: torch.from_numpy(array).to(device) for name, array in dense.items()},
    )


def row_sums(matrix: sparse.csr_matrix) -> Floats:
    """The sum of each row."""
    return np.asarray(matrix.sum(axis=1), dtype=np.float32).ravel()


def likeliest(matrix: sparse.csr_matrix, most: int) -> Ints:
    """The columns of each row's largest values, largest first, ties by column; [rows, S], -1 for none, S at least 1."""
    entries = matrix.tocoo()
    real = entries.data > 0
    row, column, value = entries.row[real], entries.col[real], entries.data[real]
    order = np.lexsort((column, -value, row))
    row, column = row[order].astype(np.int64), column[order].astype(np.int64)
    turn = np.arange(len(row)) - np.searchsorted(row, row)
    kept = turn < most
    found = np.full((matrix.shape[0], max(1, int(turn[kept].max(initial=0)) + 1)), -1, dtype=np.int64)
    found[row[kept], turn[kept]] = column[kept]
    return found


def padded_alike(arrays: Sequence[Ints]) -> list[Ints]:
    """Arrays [rows, any] with -1 behind the shorter ones, so that all are of one width."""
    width = max(array.shape[1] for array in arrays)
    return [np.pad(array, ((0, 0), (0, width - array.shape[1])), constant_values=-1) for array in arrays]


def popular(popularity: sparse.csr_matrix, n_dayparts: int) -> Ints:
    """The items with most events over all dayparts: everywhere, then by region; [1 + R, T]."""
    n_contexts = popularity.shape[0] // n_dayparts
    rows = np.arange(popularity.shape[0])
    over_dayparts = sparse.csr_matrix(
        (np.ones(len(rows), np.float32), (rows // n_dayparts, rows)), shape=(n_contexts, len(rows))
    )
    return likeliest((over_dayparts @ popularity).tocsr(), MAX_POPULAR)


def row_of(values: Floats) -> sparse.csr_matrix:
    """Values [N] as a matrix [1, N]."""
    return sparse.csr_matrix(values[None])


def log_share(events: npt.ArrayLike) -> Floats:
    """[N] logarithm of each item's share of all events, with a third of an event more for everybody."""
    n = np.asarray(events, dtype=np.float64).ravel() + 1 / 3
    share: Floats = np.log(n / n.sum()).astype(np.float32)
    return share


def log_daypart(by_daypart: sparse.csr_matrix, of_kind: sparse.csr_matrix) -> Floats:
    """[N, D] logarithm of the dayparts' shares of each item's events, smoothed with its category's, and that with 1/D.

    `(n_id + B q_kd) / (n_i + B)` with `q_kd = (n_kd + 1) / (n_k + D)`: a Dirichlet prior, as in Zhai and Lafferty, "A
    study of smoothing methods for language models", TOIS 22 (2004), section 3.2.
    """
    own = np.asarray(by_daypart.toarray().T, dtype=np.float64)  # [N, D]
    kind = np.asarray(of_kind.T @ own)
    prior = of_kind @ ((kind + 1) / (kind.sum(axis=1, keepdims=True) + kind.shape[1]))
    share = (own + DAYPART_PRIOR * prior) / (own.sum(axis=1, keepdims=True) + DAYPART_PRIOR)
    logs: Floats = np.log(share).astype(np.float32)
    return logs


def log_visits(by_daypart: sparse.csr_matrix, visitors: Floats, of_kind: sparse.csr_matrix) -> tuple[Floats, Floats]:
    """Logarithms of the events per visitor of the items [N] and of the categories [C]: whether people come back.

    `(n_i + V q_k) / (v_i + V)` with `q_k = (n_k + V) / (v_k + V)`: an item that few have met is taken for one of its
    category, a category that few have met for one where nobody comes back.
    """
    n = np.asarray(by_daypart.sum(axis=0), dtype=np.float64).ravel()
    v = visitors.astype(np.float64)
    of_category = (of_kind.T @ n + VISITOR_PRIOR) / (of_kind.T @ v + VISITOR_PRIOR)
    of_item = (n + VISITOR_PRIOR * (of_kind @ of_category)) / (v + VISITOR_PRIOR)
    logs: tuple[Floats, Floats] = (np.log(of_item).astype(np.float32), np.log(of_category).astype(np.float32))
    return logs


def metres_of(lat: npt.NDArray[np.float64], lon: npt.NDArray[np.float64]) -> Floats:
    """Points on the sphere in metres from its centre, [..., 3]; NaN where a coordinate is.

    Straight-line distance between two of them falls short of the great circle by less than 0.1 % up to 900 km, and
    float32 resolves it to about half a metre.
    """
    phi, lam = np.radians(lat), np.radians(lon)
    point = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)
    metres: Floats = (EARTH_RADIUS_M * point).astype(np.float32)
    return metres


def neighbours(place: Floats) -> Ints:
    """Each item's nearest other items [N, M] within `NEIGHBOUR_M`, nearest first; -1 for none."""
    located = np.flatnonzero(np.isfinite(place).all(axis=1))
    columns = np.full((len(place), MAX_NEIGHBOURS), -1, dtype=np.int64)
    if len(located) < 2:
        return columns[:, :1]
    tree = cKDTree(place[located])
    # The tree answers `len(located)` where there are too few; the item itself is one of its nearest.
    _, found = tree.query(place[located], k=MAX_NEIGHBOURS + 1, distance_upper_bound=NEIGHBOUR_M)
    itself = found == np.arange(len(located))[:, None]
    keep = np.argsort(itself, axis=1, kind="stable")[:, :MAX_NEIGHBOURS]
    found = np.take_along_axis(found, keep, axis=1)
    columns[located] = np.where(found < len(located), located[np.minimum(found, len(located) - 1)], -1)
    return columns
