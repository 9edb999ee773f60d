"""Plain Python twin of the next-place protocol: check-ins are dicts, and every one is looked at for every query."""

from __future__ import annotations

import datetime as dt


def protocol(train, past, part):
    """The queries of `part`, by trajectory: the check-in asked about and, per history, the check-ins it may know.

    A check-in is a dict of user_id, item_id, occurred_at (UTC), utc_offset_min and trajectory_id.
    """
    users, venues = {c["user_id"] for c in train}, {c["item_id"] for c in train}

    def kept(checkins):
        return [c for c in checkins if c["user_id"] in users and c["item_id"] in venues]

    past, part = kept(past), kept(part)
    log = sorted(past + part, key=lambda c: c["occurred_at"])  # stable: ties as they stand
    trajectories = {}
    for checkin in log:
        if any(checkin is c for c in part):
            trajectories.setdefault(checkin["trajectory_id"], []).append(checkin)
    found = {}
    for name, checkins in trajectories.items():
        if len(checkins) < 2:
            continue
        query, previous = checkins[-1], checkins[-2]
        own = [c for c in log if c["user_id"] == query["user_id"]]
        until = own[: 1 + next(n for n, c in enumerate(own) if c is previous)]
        offset = dt.timedelta(minutes=query["utc_offset_min"])
        midnight = (query["occurred_at"] + offset).replace(hour=0, minute=0, second=0) - offset
        found[name] = {
            "query": query,
            "all": until,
            "train": [c for c in until if any(c is p for p in past) or c["trajectory_id"] == name],
            "night": [c for c in own if c["occurred_at"] < midnight],
        }
    return found
