"""Sequences: what a user did in one go, and lately."""

from __future__ import annotations

from chronotope.tables.declaration import Column, Table
from chronotope.tables.night import NIGHT

STEP = (
    "struct<event_id:string,item_id:string,action:string,occurred_at:timestamp,slot:int,cell:string,region:string,"
    "lat:double,lon:double,gap_s:double,distance_m:double>"
)

SESSIONS = Table(
    name="sessions",
    purpose="What a user did in one go, step by step, with the gaps in time and space between: what the models "
    "learn from.",
    grain="one row per session and night that changed it",
    key=("session_key",),
    current="latest_per_key",
    columns=(
        Column("session_key", "string", "digest of user and first event, 32 hex digits"),
        Column("user_id", "string", "as in events"),
        Column("started_at", "timestamp", "first event, UTC"),
        Column("ended_at", "timestamp", "last event so far, UTC"),
        Column("closed", "boolean", "whether late events can no longer change it"),
        Column(
            "steps",
            f"array<{STEP}>",
            "the events in time order, ties by event_id; gap_s seconds and distance_m metres since the step before, "
            "null on the first step and where a place is unknown; empty when another session took this one over",
        ),
        NIGHT,
    ),
)

HISTORIES = Table(
    name="histories",
    purpose="Each user's newest sessions.kept_steps steps with an item, across sessions, oldest first: what the models "
    "read of a user at night. One array per field of a step, all of one length.",
    grain="one row per user",
    key=("user_id",),
    current="latest_per_key",
    renewed=True,
    columns=(
        Column("user_id", "string", "as in events"),
        Column("event_id", "array<string>", "as in events"),
        Column("item_id", "array<string>", "as in events"),
        Column("action", "array<string>", "as in events"),
        Column("occurred_at_s", "array<double>", "seconds since 1970-01-01, UTC"),
        Column("slot", "array<int>", "as in events"),
        Column("region", "array<string>", "as in events"),
        Column("lat", "array<double>", "degrees"),
        Column("lon", "array<double>", "degrees"),
        Column("gap_s", "array<double>", "seconds since the user's step before; null on the first step of all"),
        Column("distance_m", "array<double>", "metres since the step before; null where a place is unknown"),
        NIGHT,
    ),
)
