"""Stage sessions: what a user did in one go, and what the memory features count of it."""

from __future__ import annotations

from chronotope.sessions.cut import of_sources, open_since, sessions, still_open
from chronotope.sessions.memory import counts, transitions

__all__ = ["counts", "of_sources", "open_since", "sessions", "still_open", "transitions"]
