"""Options of a small world, and overrides."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chronotope.world.options import WorldOptions

SMALL: dict[str, Any] = {
    "users": 12, "items": 172, "days": 3, "events_per_user_day": 4.0, "start": dt.date(2026, 2, 2), "seed": 7,
    "late_share": 0.05, "too_late_share": 0.01, "duplicate_share": 0.02, "broken_share": 0.003,
}  # fmt: skip


def sized(**overrides: Any) -> WorldOptions:
    return WorldOptions(**(SMALL | overrides))
