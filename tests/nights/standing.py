"""What stands in a folder of tables after a night, in a form that does not depend on which nights wrote it."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter, defaultdict
from typing import Any

from chronotope.slots import end_of
from chronotope.store.snapshot import Snapshot
from chronotope.store.sql import select

HALF_LIFE_DAYS = {"long": 20.0, "short": 3.0}  # of the demo source
# Columns that say which night wrote a row, or what a later night may still change.
APART = {"night", "as_of"}
KEYS = {
    "events": ("event_id",),
    "items": ("item_id",),
    "item_embeddings": ("text_digest", "model"),
    "terms": ("term",),
    "interests": ("user_id", "horizon"),
    "histories": ("user_id",),
    "user_states": ("user_id",),
    "forecasts": ("user_id", "daypart", "region", "topic"),
    "recommendations": ("user_id", "daypart", "region", "rank"),
}


def standing(snapshot: Snapshot) -> dict[str, dict[Any, Any]]:
    """Table to key to the rest of the row; sums over nights where a table's rows add up."""
    found = {name: by_key(snapshot, name, key) for name, key in KEYS.items()}
    sessions = select(snapshot, "SELECT * FROM sessions").rows
    found["sessions"] = {row["session_key"]: without(row, "session_key") for row in sessions if row["steps"]}
    rejects = select(snapshot, "SELECT record_id, record, reasons FROM rejects").rows
    found["rejects"] = dict(Counter((row["record_id"], row["record"], tuple(row["reasons"])) for row in rejects))
    moves = "SELECT user_id, from_item_id, item_id, sum(n) AS n FROM transitions GROUP BY 1, 2, 3 HAVING sum(n) != 0"
    found["transitions"] = {tuple(row.values())[:3]: row["n"] for row in select(snapshot, moves).rows}
    return {**found, "counts": counts(snapshot), "term_sums": term_sums(snapshot)}


def by_key(snapshot: Snapshot, name: str, key: tuple[str, ...]) -> dict[Any, Any]:
    rows = select(snapshot, f"SELECT * FROM {name}").rows
    return {tuple(str(row[part]) for part in key): without(row, *key) for row in rows}


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in {*names, *APART}}


def left(snapshot: Snapshot, night: dt.date, half_life_days: float) -> float:
    """What is left at the snapshot's end of a weight that refers to the end of another night."""
    age_s = (end_of(snapshot.night, "UTC") - end_of(day(night), "UTC")).total_seconds()
    return float(2 ** (-age_s / 86_400 / half_life_days))


def day(value: Any) -> dt.date:
    return dt.date.fromisoformat(str(value)[:10])


def counts(snapshot: Snapshot) -> dict[Any, Any]:
    total: dict[Any, list[Any]] = defaultdict(lambda: [0, 0.0, 0.0, 0, ""])
    for row in select(snapshot, "SELECT * FROM counts").rows:
        of = total[row["user_id"], row["item_id"], row["daypart"], row["region"]]
        of[0] += row["n"]
        of[1] += row["weight"]
        of[2] += row["decayed"] * left(snapshot, row["night"], HALF_LIFE_DAYS["long"])
        of[3] += row["hiding"]
        of[4] = max(of[4], str(row["last_at"]))
    return dict(total)


def term_sums(snapshot: Snapshot) -> dict[Any, Any]:
    total: dict[Any, float] = defaultdict(float)
    for row in select(snapshot, "SELECT * FROM term_sums").rows:
        for horizon, half_life_days in HALF_LIFE_DAYS.items():
            share = left(snapshot, row["night"], half_life_days)
            for term, weight in zip(row["terms"].split(" "), row[horizon], strict=True):
                total[row["user_id"], horizon, term] += weight * share
    return dict(total)


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Where two values differ: keys, sets and texts exactly, numbers by more than 1e-5 of their size."""
    if isinstance(one, dict) and isinstance(other, dict):
        missing = [f"{where}/{key}: only in one" for key in one.keys() ^ other.keys()]
        return missing + [
            d for key in one.keys() & other.keys() for d in differences(one[key], other[key], f"{where}/{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            d
            for place, pair in enumerate(zip(one, other, strict=True))
            for d in differences(*pair, f"{where}[{place}]")
        ]
    if isinstance(one, float) and isinstance(other, float):
        # Two numbers that are rounded to 1e-6 may differ by a hair more than that, for neither is exact in binary.
        return [] if math.isclose(one, other, rel_tol=1e-5, abs_tol=1e-6 + 1e-12) else [f"{where}: {one} {other}"]
    return [] if one == other else [f"{where}: {one} {other}"]
