"""How many examples a property gets where each of them takes Spark seconds."""

from __future__ import annotations

from hypothesis import settings

few = settings(max_examples=settings.default.max_examples // 8)
