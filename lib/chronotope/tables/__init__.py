"""Every table of the night, declared once: readers, writers, tests and docs/tables.md use these declarations."""

from __future__ import annotations

from chronotope.tables.counts import COUNTS, TRANSITIONS
from chronotope.tables.declaration import Column, Table
from chronotope.tables.embeddings import ITEM_EMBEDDINGS
from chronotope.tables.events import EVENTS, ITEMS, REJECTS
from chronotope.tables.interests import INTERESTS, TERM_SUMS, TERMS
from chronotope.tables.recommendations import FEEDBACK, RECOMMENDATIONS
from chronotope.tables.runs import EVALUATIONS, MODELS, RANKS, RUNS
from chronotope.tables.sessions import HISTORIES, SESSIONS
from chronotope.tables.states import FORECASTS, USER_STATES

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        EVENTS, REJECTS, ITEMS, TERM_SUMS, TERMS, INTERESTS, SESSIONS, HISTORIES, COUNTS, TRANSITIONS,
        ITEM_EMBEDDINGS, MODELS, RANKS, USER_STATES, FORECASTS, RECOMMENDATIONS, EVALUATIONS, FEEDBACK, RUNS,
    )
}  # fmt: skip

__all__ = ["TABLES", "Column", "Table"]
