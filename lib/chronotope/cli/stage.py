"""One stage as every job runs it: under its manifest, measured, with a line in the log of nights."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chronotope.cli.alarms import alarms_of
from chronotope.errors import AlarmError
from chronotope.store import journal
from chronotope.store.cost import Meter
from chronotope.store.night import Night
from chronotope.store.snapshot import open_snapshot

log = logging.getLogger("chronotope")


def run_stage(night: Night, stage: str, run: Callable[[Night], None], place: str) -> None:
    """Run one stage and write its manifest; `place` is where it stands among those that run, such as 2/8."""
    log.info("[%s] %s ...", place, stage)
    meter = Meter()
    started = time.monotonic()
    with failure_logged(night, stage), meter:
        night.begin(stage)
        run(night)
    seconds = time.monotonic() - started
    manifest = night.finish(stage, round(seconds, 3), dt.datetime.now(dt.UTC), meter.peak_memory_bytes)
    done = journal.done_stage(night.date, manifest)
    tell(night.tables_dir, f"[{place}] {stage} done in {seconds:.1f} s", done)


def publish(night: Night) -> None:
    """Publish the night, and tell of it.

    Raises:
        StoreError: as `Night.publish`.
        AlarmError: as `published`.
    """
    with failure_logged(night, "night"):
        night.publish()
    published(night.tables_dir, night.date)


def published(tables_dir: Path, date: dt.date) -> None:
    """Log what a published night came to, and say what about it should be looked at.

    Raises:
        AlarmError: where the night crosses a threshold of section `alarms`.
    """
    snapshot = open_snapshot(tables_dir, date)
    entry = journal.done_night(dict(snapshot.run), dt.datetime.now(dt.UTC))
    tell(tables_dir, f"night {date} is published in {tables_dir} ({entry['seconds']:.0f} s in all)", entry)
    raised = alarms_of(snapshot, only_this_night=True)
    for alarm in raised:
        tell(tables_dir, f"alarm: {alarm.message}", journal.alarm(alarm, dt.datetime.now(dt.UTC)))
    if raised:
        count = "an alarm" if len(raised) == 1 else f"{len(raised)} alarms"
        raise AlarmError(f"night {date} is published, with {count}: see `chronotope alarms`")


@contextmanager
def failure_logged(night: Night, stage: str) -> Iterator[None]:
    """Log what ends the block, a signal that Python sees included, and let it pass."""
    started = time.monotonic()
    try:
        yield
    except BaseException as error:
        seconds = round(time.monotonic() - started, 3)
        entry = journal.failed(night.date, stage, seconds, error, dt.datetime.now(dt.UTC))
        tell(night.tables_dir, f"{stage} failed", entry)
        raise


def tell(tables_dir: Path, text: str, entry: journal.Entry) -> None:
    """Say it on standard output, as text or as JSON by night.log, and keep it in the folder's log."""
    journal.append(tables_dir, entry)
    log.info("%s", text, extra={"entry": entry})
