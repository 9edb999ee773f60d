"""Plain Python twins of the demo world's parts, and a judge of its records that knows nothing of Spark."""

from __future__ import annotations

import bisect
import datetime as dt
import itertools
import json
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

ACTIONS = {"view", "search", "click", "cart", "buy", "rate"}
LATE_DAYS = dt.timedelta(days=3)


def pick(chance: float, weights: list[float]) -> int:
    bounds = list(itertools.accumulate(weight / sum(weights) for weight in weights))[:-1]
    return bisect.bisect_right(bounds, chance)


def iso_time(epoch_s: int, zone: str) -> str:
    return dt.datetime.fromtimestamp(epoch_s, ZoneInfo(zone)).isoformat()


def faults(record: dict, arrival_end: dt.datetime) -> set[str]:
    """The rules that a record breaks by itself; a blank field is a missing one."""
    record = {name: value for name, value in record.items() if value != ""}
    found = {
        "missing_user": "user" not in record,
        "missing_item": "item" not in record and "query" not in record,
        "missing_time": "ts" not in record,
        "unknown_action": record["action"] not in ACTIONS,
        "bad_coordinates": abs(record.get("lat", 0)) > 90 or abs(record.get("lon", 0)) > 180,
    }
    try:
        occurred_at = dt.datetime.fromisoformat(record["ts"])
        found |= {"after_night": occurred_at >= arrival_end, "too_late": occurred_at < arrival_end - LATE_DAYS}
    except KeyError:
        pass
    except ValueError:
        found["unreadable_time"] = True
    return {rule for rule, broken in found.items() if broken}


def judge(folder: Path) -> tuple[dict[str, Counter], list[dict]]:
    """Refusals per arrival day and reasons (sorted, joined by ` and `), and the records that remain."""
    refused: dict[str, Counter] = {}
    accepted, seen = [], set()
    for day in sorted(folder.glob("day=*")):
        date = day.name.removeprefix("day=")
        end = dt.datetime.fromisoformat(date).replace(tzinfo=dt.UTC) + dt.timedelta(days=1)
        refused[date] = Counter()
        for line in itertools.chain.from_iterable(path.open(encoding="utf-8") for path in day.glob("part-*")):
            try:
                record = json.loads(line)
            except ValueError:
                refused[date]["malformed"] += 1
                continue
            broken = faults(record, end)
            if not broken and record["event_id"] in seen:
                broken = {"duplicate"}
            if broken:
                refused[date][" and ".join(sorted(broken))] += 1
            else:
                seen.add(record["event_id"])
                accepted.append(record | {"day": date})
    return refused, accepted


def sessions(times: list[dt.datetime], gap_s: float) -> int:
    """How many sessions one user's times make."""
    times = sorted(times)
    return bool(times) + sum((b - a).total_seconds() > gap_s for a, b in itertools.pairwise(times))
