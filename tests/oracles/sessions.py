"""Sessions, counts and successions in plain Python: dictionaries, sorting, vectors instead of haversines."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

EARTH_RADIUS_M = 6_371_008.8


def session_key(user_id: str, first_event_id: str) -> str:
    return hashlib.md5(f"{first_event_id} {user_id}".encode()).hexdigest()


def sessions(events: list[dict[str, Any]], gap_s: float) -> dict[str, list[dict[str, Any]]]:
    """Steps per session key; each step is event_id, item_id, gap_s, distance_m."""
    found: dict[str, list[dict[str, Any]]] = {}
    for user in sorted({event["user_id"] for event in events}):
        previous, key = None, ""
        for event in sorted(
            (e for e in events if e["user_id"] == user), key=lambda e: (e["occurred_at"], e["event_id"])
        ):
            gap = (event["occurred_at"] - previous["occurred_at"]).total_seconds() if previous else None
            begins = gap is None or gap > gap_s
            if begins:
                key = session_key(user, event["event_id"])
                found[key] = []
            found[key].append(
                {
                    "event_id": event["event_id"],
                    "item_id": event["item_id"],
                    "gap_s": None if begins else gap,
                    "distance_m": None if begins else distance_m(previous, event),
                }
            )
            previous = event
    return found


def distance_m(one: Mapping[str, Any], two: Mapping[str, Any]) -> float | None:
    """Angle between the two places' unit vectors, by atan2 of cross and dot product."""
    if None in (one["lat"], one["lon"], two["lat"], two["lon"]):
        return None
    a, b = unit(one["lat"], one["lon"]), unit(two["lat"], two["lon"])
    cross = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    return EARTH_RADIUS_M * math.atan2(math.hypot(*cross), sum(x * y for x, y in zip(a, b, strict=True)))


def unit(lat: float, lon: float) -> tuple[float, float, float]:
    phi, lam = math.radians(lat), math.radians(lon)
    return math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi)


def transitions(events: list[dict[str, Any]], gap_s: float) -> Counter[tuple[str, str, str]]:
    """Times that one item followed another, per user."""
    user_of = {event["event_id"]: event["user_id"] for event in events}
    counted: Counter[tuple[str, str, str]] = Counter()
    for steps in sessions(events, gap_s).values():
        known = [step for step in steps if step["item_id"] is not None]
        for index in range(1, len(known)):
            user = user_of[known[index]["event_id"]]
            counted[user, known[index - 1]["item_id"], known[index]["item_id"]] += 1
    return counted


def counts(events: list[dict[str, Any]], weights: dict[str, float]) -> dict[tuple[str, str, int, str], list[Any]]:
    """[n, weight, last_at] by user, item, slot and region."""
    found: dict[tuple[str, str, int, str], list[Any]] = {}
    for event in events:
        if event["item_id"] is None:
            continue
        row = found.setdefault(
            (event["user_id"], event["item_id"], event["slot"], event["region"] or ""), [0, 0.0, event["occurred_at"]]
        )
        row[0] += 1
        row[1] += weights.get(event["action"], 1.0)
        row[2] = max(row[2], event["occurred_at"])
    return found
