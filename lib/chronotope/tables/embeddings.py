"""Texts as vectors."""

from __future__ import annotations

from chronotope.tables.declaration import Column, Table
from chronotope.tables.night import NIGHT

ITEM_EMBEDDINGS = Table(
    name="item_embeddings",
    purpose="BERT sentence embeddings; each distinct text is embedded once per model.",
    grain="one row per text digest and model",
    key=("text_digest", "model"),
    current="all",
    columns=(
        Column("text_digest", "string", "as in items"),
        Column("model", "string", "name, weights digest, precision and token limit of the encoder"),
        Column("embedding", "array<float>", "mean of the token vectors, L2 norm 1"),
        NIGHT,
    ),
)
