"""Stage embed: each distinct text becomes one BERT sentence vector, once."""

from __future__ import annotations

from chronotope.embed.frames import embed, missing_texts
from chronotope.embed.weights import model_name

__all__ = ["embed", "missing_texts", "model_name"]
