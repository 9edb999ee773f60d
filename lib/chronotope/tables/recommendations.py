"""What the night is for: ranked lists, and what users then did with them."""

from __future__ import annotations

from chronotope.tables.declaration import Column, Table
from chronotope.tables.night import NIGHT

RECOMMENDATIONS = Table(
    name="recommendations",
    purpose="What the night is for: ranked lists by user, part of the week and region, with what each part of "
    "the score adds and a reason. A user's lists are of the last night on which they met something, or of the last "
    "refresh.",
    grain="one row per user, daypart, region and rank",
    key=("user_id", "daypart", "region", "rank"),
    current="latest_per_user",
    renewed=True,
    columns=(
        Column("user_id", "string", "as in events; * is anybody: what users without history get"),
        Column("daypart", "string", "named group of slots, night.dayparts"),
        Column("region", "string", "as in events; empty where the source has none"),
        Column("rank", "int", "1 is best"),
        Column("item_id", "string", "as in items"),
        Column("score", "double", "sum of the parts, rounded to 1e-6 before ranking; ties by item_id"),
        Column("parts", "map<string,double>", "what each part of the model added to the score; zeros are left out"),
        Column("reason", "string", "a sentence made from the largest parts"),
        Column("model", "string", "model_id in models"),
        NIGHT,
    ),
)

FEEDBACK = Table(
    name="feedback",
    purpose="Last night's lists, met by what their users then did: for learning from what was really shown.",
    grain="one row per user and context active since the night before, with the list that was shown there",
    key=("user_id", "daypart", "region", "shown_night", "night"),
    current="all",
    columns=(
        Column("user_id", "string", "as in events"),
        Column("daypart", "string", "as in recommendations"),
        Column("region", "string", "as in recommendations"),
        Column("shown_night", "date", "the night that published the list"),
        Column("model", "string", "model_id that made the night's tables"),
        Column("shown", "array<string>", "the item_ids of the list, in rank order; empty where there was none"),
        Column("followed", "array<string>", "the items that the user then met here, each once, in the order met"),
        Column("ranks", "array<int>", "rank in the list of each item followed; null where it was not on the list"),
        NIGHT,
    ),
)
