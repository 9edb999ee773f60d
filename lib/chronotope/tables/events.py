"""What came in: events, the records refused, and the items."""

from __future__ import annotations

from chronotope.tables.declaration import Column, Table
from chronotope.tables.night import NIGHT

EVENTS = Table(
    name="events",
    purpose="What users did, in one form for every source: with which item, when in UTC and in local time, and where.",
    grain="one row per accepted event",
    key=("event_id",),
    current="all",
    columns=(
        Column("event_id", "string", "digest of the source's name and the source's own declared key, 32 hex digits"),
        Column("source", "string", "name of the source"),
        Column("user_id", "string", "source name, colon, the source's user id"),
        Column("item_id", "string", "source name, colon, the source's item id; null for a search without item", True),
        Column("action", "string", "view, search, click, cart, buy, rate, checkin, or another listed in the settings"),
        Column("occurred_at", "timestamp", "when it happened, UTC"),
        Column("utc_offset_min", "int", "local time less UTC where it happened, minutes"),
        Column("slot", "int", "hour of the week in local time: 0 is Monday 00:00, 167 is Sunday 23:00"),
        Column("lat", "double", "latitude, degrees north, -90 to 90", True),
        Column("lon", "double", "longitude, degrees east, -180 to 180", True),
        Column("cell", "string", "H3 cell of the coordinates at ingest.cell_resolution", True),
        Column("region", "string", "named region, else the H3 cell at ingest.region_resolution", True),
        Column("value", "double", "the source's own amount: a rating, a price, a quantity", True),
        Column("query", "string", "what the user searched for", True),
        NIGHT,
    ),
)

REJECTS = Table(
    name="rejects",
    purpose="What ingest refused of logs and catalogues, whole, so that nothing is lost silently and a fixed source "
    "can be read again.",
    grain="one row per refused record",
    key=("record_id", "copy", "night"),
    current="all",
    columns=(
        Column(
            "record_id",
            "string",
            "digest of the source's name, of the input's where that only describes items, and the whole record, "
            "32 hex digits",
        ),
        Column("copy", "int", "1 for the first of several equal records of a night, then 2, 3, ..."),
        Column("source", "string", "name of the source"),
        Column(
            "user_id",
            "string",
            "source name, colon, the source's user id; null where the record has none or could not be parsed, and in "
            "nights of older versions",
            True,
        ),
        Column("record", "string", "the whole record as it came, as JSON"),
        Column("reasons", "array<string>", "every rule that it broke, sorted"),
        NIGHT,
    ),
)

ITEMS = Table(
    name="items",
    purpose="What users can meet, as last described; an item nobody described has a row as soon as somebody meets it.",
    grain="one row per item and night that changed it",
    key=("item_id",),
    current="latest_per_key",
    columns=(
        Column("item_id", "string", "source name, colon, the source's item id"),
        Column("source", "string", "name of the source"),
        Column("title", "string", "short name for people", True),
        Column("text", "string", "title, description and tags, as the models read it; null when never described", True),
        Column("category", "string", "the source's category", True),
        Column("language", "string", "as the source declares it, else the script of the text: Latn, Hani, ...", True),
        Column("lat", "double", "latitude, degrees north", True),
        Column("lon", "double", "longitude, degrees east", True),
        Column("cell", "string", "H3 cell of the coordinates at ingest.cell_resolution", True),
        Column("region", "string", "named region, else the H3 cell at ingest.region_resolution", True),
        Column(
            "available",
            "boolean",
            "false while the source says that nobody can have it; null where it never said, and in nights of older "
            "versions",
            True,
        ),
        Column("text_digest", "string", "digest of the text, 32 hex digits; the key of its embedding", True),
        Column("first_seen", "timestamp", "the first event on the item that was taken in, UTC", True),
        NIGHT,
    ),
)
