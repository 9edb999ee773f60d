"""Where each user stands, and what the model expects of them."""

from __future__ import annotations

from chronotope.tables.declaration import Column, Table
from chronotope.tables.night import NIGHT

USER_STATES = Table(
    name="user_states",
    purpose="Where each user's interest stands, as vectors that other systems can use too.",
    grain="one row per user and model",
    key=("user_id", "model"),
    current="latest_per_user",
    renewed=True,
    columns=(
        Column("user_id", "string", "as in events"),
        Column("model", "string", "model_id in models"),
        Column("as_of", "timestamp", "the last step that the state has seen, UTC"),
        Column(
            "state",
            "array<float>",
            "the encoder's hidden state after that step, then the means of item vectors by steps, if any",
        ),
        Column("long", "array<float>", "mean text embedding of the user's items, decayed with the long half-life"),
        Column("short", "array<float>", "the same with the short half-life"),
        NIGHT,
    ),
)

FORECASTS = Table(
    name="forecasts",
    purpose="How likely each topic is for a user in a part of the week and a region, and how likely that context is.",
    grain="one row per user, daypart, region and topic",
    key=("user_id", "daypart", "region", "topic"),
    current="latest_per_user",
    renewed=True,
    columns=(
        Column("user_id", "string", "as in events"),
        Column("daypart", "string", "named group of slots, night.dayparts"),
        Column("region", "string", "as in events; empty where the source has none"),
        Column("topic", "string", "the items' category, else the nearest cluster of text embeddings"),
        Column("probability", "double", "P(topic | user, daypart, region); sums to 1 over the topics"),
        Column("context_probability", "double", "P(daypart, region | user); sums to 1 over a user's contexts"),
        Column("model", "string", "model_id in models"),
        NIGHT,
    ),
)
