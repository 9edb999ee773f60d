"""Queries of a batch of users under a protocol, and the ranks that each scorer gives their truths.

Letters: B users, Q queries, N items of a catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from chronotope.config import Settings
from chronotope.evaluate.ranking import ranks_of, top_items
from chronotope.places import EARTH_RADIUS_M
from chronotope.tables.runs import RANKS
from chronotope.train.barred import NEVER
from chronotope.train.batches import flat, users_of
from chronotope.train.examples import trimmed
from chronotope.train.known import known_before, met_pairs, middle_of_hour, midnight_s, taken
from chronotope.train.scoring import MOST_QUERIES, Catalogue, Doubles, Ints, Queries, Scorer, Users, places_of

ASKED_FIELDS = [f"asked_{name}" for name in ("at_s", "query_id", "item_id", "slot", "lat", "lon", "language")]
RANKED_FIELDS = [name for name in RANKS.names if name != "night"]
PROTOCOLS = ("tail_next", "tail_morning")
SCORES_AT_ONCE = 2**23  # scores held at a time: 32 MiB as fp32, three times that while they are ranked


@dataclass(frozen=True)
class Asking:
    """What of the settings reaches the workers."""

    time_zone: str  # on whose midnight a night ends
    light_events: int
    heavy_events: int
    near_m: float
    n_shown: int  # items kept of each list, as many as the longest of evaluate.ks
    repeats: bool  # whether items that the user has met are candidates ...
    hide_actions: tuple[str, ...]  # ... but for those met with one of these actions, which lists may not show

    @classmethod
    def of(cls, settings: Settings) -> Asking:
        """The settings that matter here."""
        chosen, recommend = settings.evaluate, settings.recommend
        return cls(
            time_zone=settings.night.time_zone,
            light_events=chosen.light_events,
            heavy_events=chosen.heavy_events,
            near_m=chosen.near_m,
            n_shown=max(chosen.ks),
            repeats=settings.train.repeats,
            hide_actions=tuple(recommend.hide_actions) if recommend.seen == "hide" else (),
        )


def rank_users(frame: pd.DataFrame, scorers: Sequence[Scorer], asking: Asking) -> Iterator[pd.DataFrame]:
    """The rows of table `ranks`, less `night`, for a batch of users: one per query, scorer and protocol.

    Args:
        frame: one row per user: the columns of `histories`, and those of `tail_queries`.
        scorers: each with its own catalogue.
        asking: protocols and slices.

    """
    asked = flattened(frame)
    for scorer in scorers:
        users = users_of(frame, scorer.catalogue)
        truths = scorer.catalogue.item_index.get_indexer(pd.Index(asked["item_id"])).astype(np.int64)
        size = max(1, min(MOST_QUERIES, SCORES_AT_ONCE // len(scorer.catalogue.item_ids)))
        for protocol in PROTOCOLS:
            queries = queries_of(users, asked, protocol, asking.time_zone)
            rows = asked.assign(
                protocol=protocol,
                user_kind=user_kinds(asked["n_events"].to_numpy(), asking),
                distance_kind=distance_kinds(users, queries, asked, scorer.catalogue, asking.near_m),
            )
            for start in range(0, len(rows), size):
                part = np.arange(start, min(start + size, len(rows)))
                # Of those asked about alone: who is long would else be encoded again for each part of the queries.
                of_part = trimmed(users, taken(queries, part))
                yield rank_queries(rows.iloc[part], scorer, *of_part, truths[part], asking)


def flattened(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per query: its fields, the user's id and n_events, and `user`, the row of the frame that it is of."""
    user = np.repeat(np.arange(len(frame)), [len(of_user) for of_user in frame["asked_at_s"]])
    fields = {name.removeprefix("asked_"): flat(frame[name]) for name in ASKED_FIELDS}
    owners = {name: frame[name].to_numpy()[user] for name in ("user_id", "n_events")}
    return pd.DataFrame({**fields, **owners, "user": user})


def queries_of(users: Users, asked: pd.DataFrame, protocol: str, time_zone: str) -> Queries:
    """The queries under a protocol, [Q].

    A morning query knows the slot but not the minute: its moment is the middle of the hour.
    """
    user, at_s = asked["user"].to_numpy(np.int64), asked["at_s"].to_numpy(np.float64)
    until_s = at_s
    if protocol == "tail_morning":
        until_s = midnight_s(at_s, time_zone)
        at_s = np.maximum(until_s, middle_of_hour(at_s))
    known_steps = known_before(users, user, until_s)
    return Queries(
        user=user,
        known_steps=known_steps,
        at_s=at_s,
        slot=asked["slot"].to_numpy(np.int64),
        region=np.full(len(user), -1, dtype=np.int64),
        previous_known=(known_steps > 0) & (protocol == "tail_next"),
    )


def rank_queries(
    rows: pd.DataFrame, scorer: Scorer, users: Users, queries: Queries, truths: Ints, asking: Asking
) -> pd.DataFrame:
    """The rows with the scorer's answer: rank, n_candidates and top.

    No scorer wins or loses by what its lists could not show: where nobody comes back to an item, what was met ranks
    last for all of them, and so does what `recommend.seen` hides.
    """
    scores = scorer.score(scorer.encode(users, queries), users, queries)
    hiding = scorer.catalogue.action_index.get_indexer(pd.Index(asking.hide_actions))
    scores[met_pairs(users, queries, hiding if asking.repeats else None)] = NEVER
    item_ids = np.array(scorer.catalogue.item_ids, dtype=object)
    answered = rows.assign(
        model=scorer.model_id,
        rank=ranks_of(scores, truths),
        n_candidates=len(item_ids),
        top=list(item_ids[top_items(scores, asking.n_shown)]),
    )
    return answered[RANKED_FIELDS]


def user_kinds(n_events: Ints, asking: Asking) -> npt.NDArray[np.str_]:
    """`new`, `light` or `heavy`, by the user's events before the tail."""
    return np.select(
        [n_events < asking.light_events, n_events < asking.heavy_events], ["new", "light"], default="heavy"
    )


def distance_kinds(
    users: Users, queries: Queries, asked: pd.DataFrame, catalogue: Catalogue, near_m: float
) -> npt.NDArray[np.str_]:
    """`near` up to `near_m` metres from the last known place, else `far`; `unknown` where a place is."""
    if users.lat.shape[1] == 0:
        return np.full(len(asked), "unknown")
    at = (queries.user, np.maximum(queries.known_steps - 1, 0))
    known = queries.known_steps > 0
    to_lat, to_lon = asked["lat"].to_numpy(np.float64), asked["lon"].to_numpy(np.float64)
    distance = np.where(known, distance_m(*places_of(users, at, catalogue), to_lat, to_lon), np.nan)
    return np.select([np.isnan(distance), distance <= near_m], ["unknown", "near"], default="far")


def distance_m(lat: Doubles, lon: Doubles, to_lat: Doubles, to_lon: Doubles) -> Doubles:
    """Great-circle metres between points in degrees, as `chronotope.places.haversine_m`; NaN where one is."""
    phi, to_phi = np.radians(lat), np.radians(to_lat)
    half = np.sin((to_phi - phi) / 2) ** 2
    half = half + np.cos(phi) * np.cos(to_phi) * np.sin(np.radians(to_lon - lon) / 2) ** 2
    metres: Doubles = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(np.sqrt(half), 1.0))
    return metres
