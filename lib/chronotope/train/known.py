"""What may be known when: how many steps lie before a moment, and when the night before it ended.

Letters: B users, L steps, Q queries.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from chronotope.train.scoring import Doubles, Ints, Queries, Users


def known_before(users: Users, user: Ints, at_s: Doubles) -> Ints:
    """How many of the users' steps lie strictly before the moments, [Q]; of steps in the same second none is known.

    Args:
        users: a batch of histories in time order.
        user: [Q] row of the user.
        at_s: [Q] epoch seconds.

    """
    known, end = np.zeros_like(user), users.length[user]
    for _ in range(users.at_s.shape[1].bit_length()):  # halving each query's steps, all queries at once
        middle = (known + end) // 2
        earlier = (known < end) & (users.at_s[user, np.minimum(middle, end - 1)] < at_s)
        known, end = np.where(earlier, middle + 1, known), np.where(earlier, end, middle)
    return known


def midnight_s(at_s: Doubles, time_zone: str) -> Doubles:
    """The last midnight in a time zone at or before each moment: when the last night ended, [Q] epoch seconds.

    >>> midnight_s(np.array([1351728000.0, 1351727999.0]), "UTC").tolist()
    [1351728000.0, 1351641600.0]
    """
    at = pd.to_datetime(np.asarray(at_s, dtype=np.float64), unit="s", utc=True).tz_convert(time_zone)
    # A midnight that a clock change skips is moved to the first moment of the day.
    days = at.tz_localize(None).normalize().tz_localize(time_zone, ambiguous=True, nonexistent="shift_forward")
    seconds: Doubles = days.tz_convert("UTC").as_unit("ns").asi8 / 1e9
    return seconds


def middle_of_hour(at_s: Doubles) -> Doubles:
    """The middle of the hour that each moment is in, [Q] epoch seconds: for who asks about an hour, not a minute.

    >>> middle_of_hour(np.array([7200.0, 10799.0])).tolist()
    [9000.0, 9000.0]
    """
    middle: Doubles = np.floor(at_s / 3600) * 3600 + 1800
    return middle


def met_pairs(users: Users, queries: Queries, actions: Ints | None = None) -> tuple[Ints, Ints]:
    """Queries and the items of the catalogue that they know their users to have met, once for each step: [P], [P].

    With `actions`, as indices in the catalogue, those met with one of them alone.
    """
    steps = np.arange(users.item.shape[1])
    known = steps < np.minimum(queries.known_steps, users.length[queries.user])[:, None]  # [Q, L]
    if queries.hidden_from is not None and queries.hidden_to is not None:
        known &= (steps < queries.hidden_from[:, None]) | (steps >= queries.hidden_to[:, None])
    usable = users.item >= 0 if actions is None else (users.item >= 0) & np.isin(users.action, actions)
    query, step = np.nonzero(known & usable[queries.user])
    return query, users.item[queries.user[query], step]


def taken(queries: Queries, rows: Ints) -> Queries:
    """Some of the queries, in the order of the rows."""
    arrays = {field.name: getattr(queries, field.name) for field in fields(Queries)}
    some: dict[str, Any] = {name: None if array is None else array[rows] for name, array in arrays.items()}
    return Queries(**some)
