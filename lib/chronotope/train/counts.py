"""What counting says about every item for a user at a time and in a place: the features of the count model.

Letters: Q queries, N items, M (query, item) pairs, P (query, step) pairs, C contexts (region and daypart),
F features, K items chosen.

A personal feature is `log(1 + x / 0.1)` with x a sum over the user's known steps at the item, each step weighted by
how near it is to the query in the feature's own sense. The logarithm makes the weighted sum of features a product
of powers of counts: an item has to fit the hour and the habit and the step before. On the New York check-ins it
ranks better than a weighted sum of the shares themselves (a mixture, Jelinek and Mercer 1980).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import sparse
from scipy.spatial import cKDTree

from chronotope.places import EARTH_RADIUS_M
from chronotope.train.scoring import Catalogue, Doubles, Floats, Ints, Queries, Users, places_among, places_of

RECENT_DAYS = {"recent_6h": 0.25, "recent_7d": 7.0, "recent_30d": 30.0}  # half-lives: today, this week, this season
HOUR_WIDTH = 1.0  # hours: standard deviation of the kernel around the hour asked about
OTHER_DAY_TYPE = 0.3  # what a weekday's step counts for a weekend's hour, and the other way round
LEAST = 0.1  # the sum x from which a feature starts to grow like a logarithm
BACKOFF_EVENTS = 100.0  # imagined events of the wider context in a narrower one
NEAR_M = 500.0  # metres in which nearness falls to 1/e
NEIGHBOURS = 64  # items nearest to the previous place that may count as near

# The named part of a score that each feature belongs to.
PART_OF = {
    "popular_overall": "popular",
    "popular_here": "popular",
    "trending": "popular",
    "frequency": "habit",
    "recent_6h": "recent",
    "recent_7d": "recent",
    "recent_30d": "recent",
    "last": "recent",
    "same_daypart": "this_time",
    "same_hour": "this_time",
    "own_next": "next",
    "own_next_hour": "next",
    "all_next": "next",
    "near": "near",
}
FEATURES = tuple(PART_OF)
PARTS = tuple(dict.fromkeys(PART_OF.values()))
OF_ALL = ("popular_overall", "popular_here", "trending")  # the first ones, dense: they depend on the context alone
AFTER_PREVIOUS = ("own_next", "own_next_hour", "all_next", "near")  # zero when the previous step is not known


@dataclass(frozen=True)
class Entries:
    """Values of some features for M pairs of a query and an item; a pair that is absent has zeros."""

    features: tuple[str, ...]  # F of this block
    query: Ints  # [M]
    item: Ints  # [M]
    values: Floats  # [M, F]

    def weighted(self, weights: Floats) -> Floats:
        """The sum of the values, weighted by each query's own weights [Q, all features]: [M]."""
        columns = [FEATURES.index(feature) for feature in self.features]
        total: Floats = np.einsum("mf,mf->m", self.values, weights[self.query[:, None], columns])
        return total

    def parts(self, weights: Floats) -> dict[str, Floats]:
        """The same sums, split by the part that each feature belongs to: part to [M]."""
        named = {PART_OF[feature] for feature in self.features}
        return {part: self.weighted(weights * np.equal([PART_OF[f] for f in FEATURES], part)) for part in named}

    def rows(self, rows: Ints) -> Entries:
        """Some of the pairs."""
        return Entries(self.features, self.query[rows], self.item[rows], self.values[rows])


@dataclass(frozen=True)
class Evidence:
    """All features of Q queries: those of `OF_ALL` dense, the others sparse."""

    overall: Floats  # [N] popular_overall
    trending: Floats  # [N]
    here: Floats  # [C, N] popular_here
    context: Ints  # [Q] row of `here`
    entries: tuple[Entries, ...]

    def scores(self, weights: Floats, among: Ints | None = None) -> Floats:
        """The sum of all features of every item asked about, all N for None, under each query's weights [Q, F]."""
        # Queries of one context that weigh both alike share the dense part.
        alike = np.column_stack([self.context, weights[:, : len(OF_ALL)]])
        kinds, kind = np.unique(alike, axis=0, return_inverse=True)
        columns: Ints | slice = slice(None) if among is None else among
        here = self.here[kinds[:, 0].astype(np.int64)][:, columns]
        dense = self.popular(here, kinds[:, 1:].astype(np.float32), columns)
        scores: Floats = dense[kind.reshape(-1)]  # [Q, C]
        place = places_among(among, len(self.overall))
        for block in self.entries:
            some = block.rows(np.flatnonzero(place[block.item] >= 0))
            scores[some.query, place[some.item]] += some.weighted(weights)  # no pair comes twice
        return scores

    def popular(self, here: Floats, weights: Floats, items: Ints | slice) -> Floats:
        """The sum of the dense features of items, of which `here` is one, under weights [rows, OF_ALL]: as `here`."""
        of_overall, of_here, of_trending = (weights[:, [column]] for column in range(len(OF_ALL)))
        summed: Floats = of_here * here + of_overall * self.overall[items] + of_trending * self.trending[items]
        return summed

    def parts(self, weights: Floats, items: Ints) -> dict[str, Floats]:
        """The same sums at the chosen items [Q, K], split by part: name to [Q, K]; zero where an item is -1."""
        parts = {part: np.zeros(items.shape, dtype=np.float32) for part in PARTS}
        if not items.size:
            return parts
        here = self.here[self.context[:, None], items]
        parts["popular"] += self.popular(here, weights[:, : len(OF_ALL)], items)
        n_items = len(self.overall)
        chosen, place = np.unique(np.arange(len(items))[:, None] * n_items + items, return_inverse=True)
        for block in self.entries:
            keys = block.query * n_items + block.item
            found = np.minimum(np.searchsorted(chosen, keys), len(chosen) - 1)
            hit = np.flatnonzero(chosen[found] == keys)
            for part, added in block.rows(hit).parts(weights).items():
                total = np.bincount(found[hit], added, minlength=len(chosen))
                parts[part] += total[place].reshape(items.shape).astype(np.float32)
        return {part: np.where(items >= 0, values, np.float32(0)) for part, values in parts.items()}


class Counter:
    """Counts the evidence of queries against one catalogue; what depends on the catalogue only is kept."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def evidence(self, users: Users, queries: Queries) -> Evidence:
        """All features of the queries; nothing from a step that a query may not know is read."""
        queries = replace(queries, slot=asked_slots(users, queries))
        row = (1 + queries.region) * len(self.catalogue.dayparts) + self.catalogue.daypart_of_slot[queries.slot]
        rows, context = np.unique(np.where(queries.slot < 0, -1, row), return_inverse=True)
        previous = previous_items(users, queries)
        entries = (
            own_steps(users, queries, self.catalogue, previous),
            self.following(previous),
            self.nearby(users, queries),
        )
        return Evidence(self.overall, self.trending, self.popular_here(rows), context.reshape(-1), entries)

    @cached_property
    def share(self) -> Doubles:
        """Each item's share of all events, [N], with one imagined event spread over all items."""
        n_dayparts = len(self.catalogue.dayparts)
        return shares(np.asarray(self.catalogue.popularity[:n_dayparts].sum(axis=0), dtype=np.float64).reshape(-1))

    @cached_property
    def overall(self) -> Floats:
        """`popular_overall`, [N]."""
        return popular(self.share)

    @cached_property
    def trending(self) -> Floats:
        """`trending`, [N]: the same as `popular_overall` of the events as they count in `Catalogue.trending`."""
        return popular(shares(self.catalogue.trending.astype(np.float64)))

    def popular_here(self, rows: Ints) -> Floats:
        """`popular_here` at rows of `Catalogue.popularity`, [C, N]: region backs off to daypart, daypart to overall.

        The row -1, of queries without a time, is what is popular overall.
        """
        here = np.tile(self.share, (len(rows), 1))
        timed, named = rows >= 0, rows >= len(self.catalogue.dayparts)
        here[timed] = self.backed_off(rows[timed] % len(self.catalogue.dayparts), self.share)
        here[named] = self.backed_off(rows[named], here[named])
        return popular(here)

    def backed_off(self, rows: Ints, wider: Doubles) -> Doubles:
        """Shares of the items at some rows, smoothed with a wider context's: [C, N].

        `(n_i + B p_i) / (n + B)`, the Dirichlet prior of Zhai and Lafferty, "A study of smoothing methods for
        language models", TOIS 22 (2004), section 3.2.
        """
        counts = self.catalogue.popularity[rows].toarray().astype(np.float64)
        smoothed: Doubles = (counts + BACKOFF_EVENTS * wider) / (counts.sum(axis=1, keepdims=True) + BACKOFF_EVENTS)
        return smoothed

    def following(self, previous: Ints) -> Entries:
        """`all_next`: log(1 + n / LEAST) of the n times that all users went from the previous item to this one."""
        query = np.flatnonzero(previous >= 0)
        after = sparse.coo_matrix(self.catalogue.transitions[previous[query]])
        return Entries(("all_next",), query[after.row], after.col.astype(np.int64), logarithm(after.data)[:, None])

    def nearby(self, users: Users, queries: Queries) -> Entries:
        """`near`: nearness `exp(-d / NEAR_M)` to the place of the previous step, of the nearest items."""
        query = np.flatnonzero(queries.previous_known & (queries.known_steps > 0))
        at = (queries.user[query], queries.known_steps[query] - 1)
        query, points = placed(query, *places_of(users, at, self.catalogue))
        items, places = self.places
        neighbours = min(NEIGHBOURS, len(items)) if len(query) else 0
        if not neighbours:
            return Entries(("near",), query[:0], query[:0], np.empty((0, 1), dtype=np.float32))
        distance_m, found = places.query(points, k=np.arange(1, neighbours + 1))
        nearness = np.exp(-distance_m / NEAR_M).astype(np.float32)
        return Entries(("near",), np.repeat(query, neighbours), items[found].reshape(-1), nearness.reshape(-1, 1))

    @cached_property
    def places(self) -> tuple[Ints, cKDTree]:
        """The items that have a place, and a search tree over those places."""
        items, points = placed(np.arange(len(self.catalogue.item_ids)), self.catalogue.lat, self.catalogue.lon)
        return items, cKDTree(points)


def own_steps(users: Users, queries: Queries, catalogue: Catalogue, previous: Ints) -> Entries:
    """The features that are sums over the user's own known steps, one entry per query and item met."""
    query, step = known_pairs(users, queries)
    sums = kernels(users, queries, catalogue, previous, query, step)
    n_items = len(catalogue.item_ids)
    keys, pair = np.unique(query * n_items + users.item[queries.user[query], step], return_inverse=True)
    totals = [np.bincount(pair, weight, minlength=len(keys)).astype(np.float64) for weight in sums.values()]
    last = np.zeros(len(keys), dtype=np.float32)
    last[pair[step == queries.known_steps[query] - 1]] = 1
    values = np.stack([*[logarithm(total) for total in totals], last], axis=1)
    return Entries((*sums, "last"), keys // n_items, keys % n_items, values)


def kernels(
    users: Users, queries: Queries, catalogue: Catalogue, previous: Ints, query: Ints, step: Ints
) -> Mapping[str, Doubles]:
    """How near each known step is to its query, in the sense of each feature: feature to [P], from 0 to 1."""
    at = (queries.user[query], step)
    age_days = np.maximum(queries.at_s[query] - users.at_s[at], 0) / 86400
    slot, asked = users.slot[at], queries.slot[query]
    same_hour, timed = hour_kernel(slot, asked), (slot >= 0) & (asked >= 0)
    daypart = catalogue.daypart_of_slot
    before = np.where(step > 0, users.item[at[0], step - 1], -1)
    after_same = ((before >= 0) & (before == previous[query])).astype(np.float64)
    return {
        "frequency": np.ones(len(query)),
        **{name: np.exp2(-age_days / days) for name, days in RECENT_DAYS.items()},
        "same_daypart": (timed & (daypart[slot] == daypart[asked])).astype(np.float64),
        "same_hour": same_hour,
        "own_next": after_same,
        "own_next_hour": after_same * same_hour,
    }


def hour_kernel(slot: Ints, asked: Ints) -> Doubles:
    """Likeness of two slots: a bell over the hours of the day between them, less on the other type of day.

    A slot of -1, of a step or a query without a clock, is like none.

    >>> hour_kernel(np.array([8, 32, 128, -1]), np.array([8, 8, 8, 8])).tolist()
    [1.0, 1.0, 0.3, 0.0]
    """
    apart = np.abs(slot % 24 - asked % 24)
    hours = np.minimum(apart, 24 - apart)
    same_type = (slot >= 120) == (asked >= 120)
    likeness: Doubles = np.exp(-0.5 * (hours / HOUR_WIDTH) ** 2) * np.where(same_type, 1.0, OTHER_DAY_TYPE)
    return np.where((slot < 0) | (asked < 0), 0.0, likeness)


def known_pairs(users: Users, queries: Queries) -> tuple[Ints, Ints]:
    """Every (query, step) that may be used and has an item the catalogue knows: queries [P] and steps [P]."""
    usable = np.arange(users.item.shape[1]) < queries.known_steps[:, None]  # [Q, L]
    query, step = np.nonzero(usable & (users.item[queries.user] >= 0))
    return query, step


def previous_items(users: Users, queries: Queries) -> Ints:
    """The item of the step just before each query, [Q]; -1 where there is none or it may not be known."""
    known = queries.previous_known & (queries.known_steps > 0)
    previous = np.full(len(queries.user), -1, dtype=np.int64)
    previous[known] = users.item[queries.user[known], queries.known_steps[known] - 1]
    return previous


def asked_slots(users: Users, queries: Queries) -> Ints:
    """The slots asked about, [Q]: where the time is not told, that of the last known step; -1 where that has none."""
    slot = queries.slot.copy()
    untold = np.flatnonzero((slot < 0) & (queries.known_steps > 0))
    slot[untold] = users.slot[queries.user[untold], queries.known_steps[untold] - 1]
    return slot


def logarithm(x: Doubles | Floats) -> Floats:
    """`log(1 + x / LEAST)`: 0 for nothing, 2.4 for one, 4.6 for ten."""
    value: Floats = np.log1p(x / LEAST).astype(np.float32)
    return value


def shares(events: Doubles) -> Doubles:
    """Each item's share of the events, [N], with one imagined event spread over all items."""
    share: Doubles = (events + 1 / len(events)) / (events.sum() + 1)
    return share


def popular(share: Doubles) -> Floats:
    """Shares as a value from 0 (never met) to 1 (all events): `log(1 + N share) / log(1 + N)`.

    >>> popular(np.array([0.0, 1.0])).tolist()
    [0.0, 1.0]
    """
    n_items = share.shape[-1]
    value: Floats = (np.log1p(n_items * share) / np.log1p(n_items)).astype(np.float32)
    return value


def placed(rows: Ints, lat: Doubles, lon: Doubles) -> tuple[Ints, Doubles]:
    """The rows that have a place, and the places as points on the sphere in metres, [rows, 3].

    Straight lines through the sphere stand for distances: 1 part in 10 million short at 10 km.
    """
    known = ~(np.isnan(lat) | np.isnan(lon))
    phi, theta = np.radians(lat[known]), np.radians(lon[known])
    points = np.stack([np.cos(phi) * np.cos(theta), np.cos(phi) * np.sin(theta), np.sin(phi)], axis=1)
    return rows[known], EARTH_RADIUS_M * points
