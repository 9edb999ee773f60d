"""Stage ingest: the records of one or several sources become events, items and rejects."""

import logging
import sys

from chronotope.cli.jobs import main
from chronotope.ingest.items import items_of
from chronotope.ingest.outcome import accepted, check_tally, refused, tally
from chronotope.ingest.records import broken_rows, catalogue_of, records_of
from chronotope.ingest.rules import judge
from chronotope.ingest.source import Source
from chronotope.ingest.span import Span
from chronotope.ingest.taken import day_before_copies, taken_before
from chronotope.store.frames import Frames, union
from chronotope.store.inputs import FoundInputs, plain_errors, read_inputs
from chronotope.store.night import Night
from chronotope.store.retain import last_dropped

log = logging.getLogger("chronotope")


def run(night: Night) -> None:
    parts = [one_source(night, source, found) for source, found in night.sources]
    for name in ("events", "rejects", "items"):
        night.write(name, union(part[name] for part in parts))


def one_source(night: Night, source: Source, found: FoundInputs) -> Frames:
    settings = night.settings
    previous = night.last_of(source.name)
    span = Span(night.date, previous, settings.night.time_zone, settings.night.late_days)
    inputs = read_inputs(night.spark, source, found)
    taken_in = night.earlier("events", since=day_before_copies(source, span))
    taken = taken_before(taken_in, source, span) if previous else None
    known_rejects = night.earlier("rejects") if previous and not source.by_day else None
    dropped = last_dropped(night.before, source.name) if previous and not source.by_day else None
    judged_name = f"judged_{source.name}"

    with plain_errors(source):
        records = records_of(inputs, source)
        judged = night.scratch(judged_name, judge(records, source, settings.ingest, span, taken, dropped))
    rejects = refused(judged, span, known_rejects)
    counted = tally(judged, rejects)
    log.info("  %s: %s", source.name, counted.text())
    check_tally(counted, settings.ingest.max_reject_share, span, str(night.scratch_dir / judged_name))
    known_items = night.read("items") if previous else None
    with plain_errors(source):
        described = items_of(catalogue_of(inputs, source), judged, source, settings.ingest, span, known_items)
        items = night.scratch(f"items_{source.name}", described)
    broken = broken_rows(inputs, source)
    if broken is not None:  # a catalogue brings them again each night
        rejects = union([rejects, refused(broken, span, night.earlier("rejects"))])
    return {"events": accepted(judged, settings.ingest, span), "rejects": rejects, "items": items}


if __name__ == "__main__":
    sys.exit(main({"ingest": run}))
