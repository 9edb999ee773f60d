"""Stage sessions: the night's events cut into sessions, and counted."""

import sys

from chronotope.cli.jobs import main
from chronotope.sessions.cut import sessions
from chronotope.sessions.memory import counts, transitions
from chronotope.store.night import Night


def run(night: Night) -> None:
    events = night.rows("events")
    still_open = night.read("sessions").where("NOT closed")

    night.write("sessions", sessions(events, still_open, night.settings, night.end, night.date))
    night.write("counts", counts(events, night.settings, night.date))
    night.write("transitions", transitions(night.rows("sessions"), still_open, night.date))


if __name__ == "__main__":
    sys.exit(main({"sessions": run}))
