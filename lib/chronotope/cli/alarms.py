"""`chronotope alarms`: what the nights were watched for, and what of it asks to be looked at."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chronotope.cli.render import Grid, Reply
from chronotope.evaluate.alarms import MEANING, PROTOCOL, Alarm, alarms
from chronotope.store.snapshot import Snapshot
from chronotope.store.sql import select


def alarms_reply(snapshot: Snapshot) -> Reply:
    """Every alarm of the nights up to this one, and the figures that this one was watched by."""
    found = alarms_of(snapshot)
    figures = watched(snapshot, only_this_night=True)
    data = {
        "night": snapshot.night,
        "alarms": [
            {"night": a.night, "metric": a.metric, "slice": a.slice, "value": a.value, "threshold": a.threshold,
             "message": a.message} for a in found
        ],
        "watched": [{name: row[name] for name in ("metric", "slice", "value", "high", "n")} for row in figures],
    }  # fmt: skip
    said: list[str | Grid] = [f"{alarm.night}  {alarm.message}" for alarm in found]
    rows = [[row["metric"], row["slice"], row["value"], row["high"], row["n"]] for row in figures]
    columns = ["watched", "slice", "value", "alarm above", "n"]
    grid = Grid(f"night {snapshot.night}", columns, rows, frozenset(columns[2:]))
    return Reply(data, [*(said or [f"no alarms up to night {snapshot.night}"]), grid])


def alarms_of(snapshot: Snapshot, only_this_night: bool = False) -> list[Alarm]:
    """The alarms of every night up to the snapshot's, or of that night alone."""
    return alarms(watched(snapshot, only_this_night))


def watched(snapshot: Snapshot, only_this_night: bool = False) -> list[dict[str, Any]]:
    """The rows of `evaluations` that can raise an alarm, by night, in the order of `MEANING`, by slice."""
    metrics = ", ".join(f"'{name}'" for name in MEANING)
    rows = select(
        snapshot,
        f"SELECT * FROM evaluations WHERE protocol = '{PROTOCOL}' AND metric IN ({metrics})"
        + (f" AND night = DATE '{snapshot.night}'" if only_this_night else ""),
    ).rows
    order = list(MEANING)
    return sorted(({**row, "night": as_date(row["night"])} for row in rows),
                  key=lambda row: (row["night"], order.index(row["metric"]), row["slice"]))  # fmt: skip


def as_date(value: Any) -> dt.date:
    """A night as a date: the engine gives a partition's value as a date or as its text."""
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(str(value))
