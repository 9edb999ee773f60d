"""Stage sessions: the night's events cut into sessions, and counted."""

import sys

from pyspark.sql import DataFrame

from chronotope.cli.jobs import main
from chronotope.sessions import counts, of_sources, open_since, sessions, still_open, transitions
from chronotope.store.night import Night
from chronotope.store.recount import counts_anew
from chronotope.train.histories import as_table, carried_on, histories


def run(night: Night) -> None:
    events, settings, kept_steps = night.rows("events"), night.settings, night.settings.sessions.kept_steps
    known = left_open(night)
    night.write("sessions", sessions(events, known, settings, night.date))
    night.write("transitions", transitions(night.rows("sessions"), known, night.date))
    if night.is_refresh:
        found = histories(night.read("sessions"), kept_steps)
    else:
        found = carried_on(night.read_before("histories", events), events, kept_steps)
    night.write("histories", as_table(found, night.date))
    anew = counts_anew(night, "counts")
    before = night.read_before("counts") if night.is_refresh and night.last and not anew else None
    night.write("counts", counts(night.read("events") if anew else events, settings, night.date, before))


def left_open(night: Night) -> DataFrame | None:
    """The open sessions of the night's sources as the last nights left them that read each; None where none did."""
    names = night.source_names
    read = [last for name in names if (last := night.last_of(name))]
    if not read:
        return None
    # Changed settings may look less far back than those that left a session open.
    since = None if night.has_other_settings else open_since(min(read), night.settings)
    return still_open(of_sources(night.earlier("sessions", since=since), names))


if __name__ == "__main__":
    sys.exit(main({"sessions": run}))
