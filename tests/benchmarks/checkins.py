"""Small logs of check-ins for the tests of the next-place benchmark."""

from __future__ import annotations

import random

import pandas as pd

MONDAY = pd.Timestamp("2012-10-01", tz="UTC")
VENUES = [f"v{n}" for n in range(8)]


def checkin(user: str, venue: str, hour: float, trajectory: str, offset_min: int = -240) -> dict:
    """A check-in some hours after Monday 00:00 UTC; every venue has a place and one of three categories."""
    number = int(venue.removeprefix("v"))
    return {
        "user_id": user,
        "item_id": venue,
        "occurred_at": MONDAY + pd.Timedelta(hours=hour),
        "utc_offset_min": offset_min,
        "trajectory_id": trajectory,
        "lat": 40.7 + 0.01 * number,
        "lon": -74.0,
        "category": f"kind {number % 3}",
        "action": "checkin",
    }


def frame(rows: list[dict]) -> pd.DataFrame:
    """The check-ins as a plain frame."""
    return pd.DataFrame(rows)


def drawn(seed: int, first_hour: int, users: int, n: int) -> list[dict]:
    """Check-ins at whole hours, so that some share one, in trajectories of about four; in no order."""
    chance = random.Random(seed)
    rows = []
    for _ in range(n):
        user, hour = f"u{chance.randrange(users)}", first_hour + chance.randrange(120)
        rows.append(checkin(user, chance.choice(VENUES), hour, f"{user}_{hour // 30}", chance.choice([-240, -300])))
    return rows


def as_published(rows: list[dict]) -> pd.DataFrame:
    """The check-ins under the names of the published files."""
    names = {"item_id": "poi_id", "occurred_at": "utc_time", "category": "category_name"}
    return frame(rows).rename(columns=names).drop(columns="action").assign(category_id="c")
