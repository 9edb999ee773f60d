"""Who met what, how often, when last, and what followed what: what has been seen, where somebody usually is, queries.

The model's memory is not made of these sums but of steps (`sessions`, `histories`), for it asks about any moment.
"""

from __future__ import annotations

from chronotope.tables.declaration import Column, Table
from chronotope.tables.night import NIGHT

COUNTS = Table(
    name="counts",
    purpose="Who met what, where and in which part of the week, as summands by night; those of a refresh night "
    "hold all before it, counted anew from all events if settings changed.",
    grain="one row per user, item, daypart, region and night",
    key=("user_id", "item_id", "daypart", "region", "night"),
    current="all",
    renewed=True,
    columns=(
        Column("user_id", "string", "as in events"),
        Column("item_id", "string", "as in events"),
        Column("daypart", "string", "named group of slots, night.dayparts"),
        Column("region", "string", "as in events; empty where the event has none"),
        Column("n", "bigint", "events"),
        Column("weight", "double", "action weights, summed"),
        Column("decayed", "double", "events, decayed to the end of `night` with the long half-life of interest"),
        Column("hiding", "bigint", "events with one of recommend.hide_actions, as set when they were counted"),
        Column("last_at", "timestamp", "the latest of the events, UTC"),
        NIGHT,
    ),
)

TRANSITIONS = Table(
    name="transitions",
    purpose="What followed what within sessions, by user.",
    grain="one row per user, pair of successive items in a session, and night",
    key=("user_id", "from_item_id", "item_id", "night"),
    current="all",
    columns=(
        Column("user_id", "string", "as in events"),
        Column("from_item_id", "string", "the item before"),
        Column("item_id", "string", "the item after"),
        Column(
            "n",
            "bigint",
            "by how much the night changed the times seen; the sum over nights is the count; below 0 for late events",
        ),
        NIGHT,
    ),
)
