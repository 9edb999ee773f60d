"""How large a demo world is and how many faults it has."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from chronotope.errors import UsageError
from chronotope.world.cities import CITIES
from chronotope.world.vocabulary import TOPICS

EPOCH = dt.date(1970, 1, 1)
ONLINE_SHARE = 5  # an online topic has as many items as it would in five cities
SHELVES = sum(ONLINE_SHARE if topic.online else len(CITIES) for topic in TOPICS)
MAX_EVENTS_PER_USER_DAY = 8.0  # beyond it the sessions of the liveliest users fill the day
# The kinds of broken records, each with every rule of ingest that it breaks.
SINGLE = (
    "missing_user", "missing_item", "missing_time", "unreadable_time", "after_night", "bad_coordinates",
    "unknown_action", "malformed",
)  # fmt: skip
DOUBLE = (("bad_coordinates", "missing_user"), ("unknown_action", "unreadable_time"))
BROKEN = {rule: [rule] for rule in SINGLE} | {" and ".join(rules): list(rules) for rules in DOUBLE}


@dataclass(frozen=True)
class WorldOptions:
    """Sizes, first day, seed, and shares of the events that arrive late or broken.

    `broken_share` is the share of *each* kind of broken record.

    Raises:
        UsageError: naming the option out of range.
    """

    users: int
    items: int
    days: int
    events_per_user_day: float
    start: dt.date
    seed: int
    late_share: float
    too_late_share: float
    duplicate_share: float
    broken_share: float

    def __post_init__(self) -> None:
        limits = [
            ("users", self.users, 1, 10**9),
            ("items", self.items, SHELVES, 10**8),
            ("days", self.days, 1, 10_000),
            ("events-per-user-day", self.events_per_user_day, 0.01, MAX_EVENTS_PER_USER_DAY),
            ("late-share", self.late_share, 0, 1),
            ("too-late-share", self.too_late_share, 0, 1),
            ("duplicate-share", self.duplicate_share, 0, 1),
            ("broken-share", self.broken_share, 0, 1),
        ]
        faults = [
            f"--{name} {value}: give {low} to {high}" for name, value, low, high in limits if not low <= value <= high
        ]
        if self.faulty_share > 1:
            faults.append(f"the shares add up to {self.faulty_share:g}, more than all events")
        if faults:
            raise UsageError("; ".join(faults))

    @property
    def faulty_share(self) -> float:
        """The share of the events that arrive late, too late, twice or broken."""
        return self.late_share + self.too_late_share + self.duplicate_share + len(BROKEN) * self.broken_share

    @property
    def first_day(self) -> int:
        """`start` as days since 1970-01-01."""
        return (self.start - EPOCH).days
