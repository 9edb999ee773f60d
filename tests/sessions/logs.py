"""Logs for the session tests: short event rows, random logs, and nights run one after the other."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st

from chronotope.sessions import sessions, transitions
from tests.rows import MONDAY, frame

GAP_S = 21600.0  # the shipped default


def event(name: str, hours: float, user: str = "s:u1", **fields: Any) -> dict[str, Any]:
    """An event `hours` after Monday 00:00 UTC, with item `s:<name>`."""
    row = {
        "event_id": name, "user_id": user, "item_id": f"s:{name}", "occurred_at": MONDAY + dt.timedelta(hours=hours),
        "lat": None, "lon": None, "region": None, "slot": int(hours) % 168, "action": "view",
    }  # fmt: skip
    return row | fields


def night_of(day: int) -> dt.date:
    """The night that ends day number `day` (0 is the first Monday)."""
    return (MONDAY + dt.timedelta(days=day)).date()


def cut_at(spark, rows, defaults, day=0, before=None):
    """Tonight's rows of the table, collected, for events given as dictionaries."""
    known = None if before is None else frame(spark, "sessions", before)
    found = sessions(frame(spark, "events", rows), known, defaults, night_of(day))
    return [r.asDict(recursive=True) for r in found.collect()]


def run_nights(spark, arrivals, defaults):
    """Run nights over {day: events}; the latest row per key, and the transitions summed over the nights."""
    table: dict[str, dict[str, Any]] = {}
    summed: dict[tuple[str, str, str], int] = {}
    for day in range(min(arrivals), max(arrivals) + 1):
        night = night_of(day)
        events = frame(spark, "events", arrivals.get(day, []))
        known = frame(spark, "sessions", list(table.values())) if table else None
        tonight = sessions(events, known, defaults, night).cache()
        rows = [r.asDict(recursive=True) for r in tonight.collect()]
        closed = {key for key, row in table.items() if row["closed"]}
        assert not closed & {row["session_key"] for row in rows}, "a closed session was written again"
        for row in transitions(tonight, known, night).collect():
            key = (row["user_id"], row["from_item_id"], row["item_id"])
            summed[key] = summed.get(key, 0) + row["n"]
        table |= {row["session_key"]: row for row in rows}
    return table, {key: n for key, n in summed.items() if n}


def shape(rows) -> dict[str, list[str]]:
    """Event ids per session key, without the keys that were taken over."""
    return {row["session_key"]: [step["event_id"] for step in row["steps"]] for row in rows if row["steps"]}


def places():
    """Coordinates or none, the poles and the date line among them."""
    lat = st.sampled_from([-90.0, 90.0, 0.0]) | st.floats(-90, 90)
    lon = st.sampled_from([-180.0, 180.0]) | st.floats(-180, 180)
    return st.none() | st.tuples(lat, lon)


@st.composite
def logs(draw, days: int = 3, late_days: int = 0) -> dict[int, list[dict[str, Any]]]:
    """Events by day of arrival: three users, quarter hours, some without item or place, some up to late_days late."""
    arrivals: dict[int, list[dict[str, Any]]] = {}
    quarters = st.integers(0, days * 96 - 1)
    drawn = st.tuples(
        quarters, st.sampled_from("abc"), st.none() | st.sampled_from("xyz"), places(), st.integers(0, late_days)
    )
    for number, (quarter, user, item, place, late) in enumerate(draw(st.lists(drawn, min_size=1, max_size=60))):
        lat, lon = place or (None, None)
        fields = {"item_id": item and f"s:{item}", "lat": lat, "lon": lon}
        arrived = event(f"e{number:02}", quarter / 4, f"s:{user}", **fields)
        arrivals.setdefault(quarter // 96 + late, []).append(arrived)
    return arrivals


def flat(arrivals) -> list[dict[str, Any]]:
    return [row for day in sorted(arrivals) for row in arrivals[day]]
