"""Whether a night counts all events anew: what was summed up before keeps the settings that it was summed up with."""

from __future__ import annotations

import datetime as dt
import logging

from chronotope.store.night import Night
from chronotope.store.snapshot import snapshots

log = logging.getLogger(__name__)


def counts_anew(night: Night, name: str) -> bool:
    """Whether a night makes a table of sums from all events, and not from its own and the sums of the night before.

    So it does where a setting changed since the night before, unless some of the events that were summed up are gone
    (`chronotope retain --with-history`): then the sums go on, with what the old settings made of those. A line in the
    log says which. Such a night is a refresh, and costs what a first night does.
    """
    if night.before is None or not night.has_other_settings:
        return False
    lost = nights_without_events(night)
    if lost:
        log.warning(
            "  %s: settings changed, but the events of %s are gone: what was counted before keeps the old settings; "
            "make the tables anew from the whole log (--tables NEW) to have it counted by these",
            name, lost[0] if len(lost) == 1 else f"{lost[0]} to {lost[-1]}",
        )  # fmt: skip
        return False
    log.info("  %s: settings changed since %s: all events are counted anew", name, night.before.night)
    return True


def nights_without_events(night: Night) -> list[dt.date]:
    """The nights before this one that took in events of which none is left."""
    there = night.before.paths("events") if night.before else {}
    took_in = [of.night for of in snapshots(night.tables_dir) if dict(of.run["rows"]).get("events")]
    return [date for date in took_in if date < night.date and date not in there]
