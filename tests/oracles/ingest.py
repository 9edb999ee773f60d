"""Plain Python twins of ingest's numbers: local time by the standard library, and the rules record by record."""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections import Counter
from zoneinfo import ZoneInfo


def offset_min(at: dt.datetime, zone: str) -> int:
    """Minutes of UTC offset of a zone at an instant."""
    return int(at.astimezone(ZoneInfo(zone)).utcoffset().total_seconds() // 60)


def local_slot(at: dt.datetime, zone: str) -> int:
    """Hour of the week on the zone's clock."""
    local = at.astimezone(ZoneInfo(zone))
    return 24 * local.weekday() + local.hour


def script(text: str) -> str | None:
    """The script of most letters by their Unicode names; fit for Latin, Han, Cyrillic, Arabic and Hebrew."""
    codes = {"LATIN": "Latn", "CJK": "Hani", "CYRILLIC": "Cyrl", "ARABIC": "Arab", "HEBREW": "Hebr"}
    letters = Counter(codes[unicodedata.name(c).split()[0]] for c in text if unicodedata.category(c)[0] == "L")
    return max(letters, key=lambda code: (letters[code], -list(codes.values()).index(code))) if letters else None


def night_by_night(log: list[dict], late_days: int = 3) -> list[tuple[dict, list[str]]]:
    """Judge records of a log delivered by day, one arrival day after the other; the reasons of each.

    A record has `arrival` (date), `at` (datetime, UTC), `user`, and `key`. Equal keys at equal times are one event.
    """
    taken: set[tuple] = set()
    verdicts = []
    for day in sorted({record["arrival"] for record in log}):
        end = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(days=1)
        arrived = [record for record in log if record["arrival"] == day]
        own = [(record, faults(record, end, late_days)) for record in arrived]
        # Those without faults first: only they can be the event.
        for record, reasons in sorted(own, key=lambda pair: len(pair[1]) > 0):
            event = (record["key"], record["at"])
            if event in taken and "too_late" not in reasons:
                reasons = sorted([*reasons, "duplicate"])
            elif not reasons:
                taken.add(event)
            verdicts.append((record, reasons))
    return verdicts


def faults(record: dict, end: dt.datetime, late_days: int) -> list[str]:
    """What a record breaks by itself, sorted."""
    found = ["after_night"] if record["at"] >= end else []
    found += [] if record["user"] else ["missing_user"]
    return found + (["too_late"] if record["at"] < end - dt.timedelta(days=late_days) else [])
