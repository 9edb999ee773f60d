"""`_night/log.jsonl` below the tables: what every night and stage did, one JSON object a line, for machines to watch.

A line has `at` (UTC), `night`, `stage` (one of the eight, or `night`) and `status`. With status `done` it has
`seconds`, `rows` by table, `bytes_written`, `peak_memory_bytes` (columns of `runs`), `config_digest` and
`code_version`; with `failed` the `seconds` until then, `error` (the error's class) and `message`; with `alarm` the
`metric`, `slice`, `value`, `threshold` and `message`. No line holds an id or a value of a record.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from chronotope import __version__
from chronotope.errors import ChronotopeError
from chronotope.evaluate.alarms import Alarm
from chronotope.store.faults import text_of
from chronotope.store.manifest import Manifest

Entry = dict[str, Any]

LOG = Path("_night") / "log.jsonl"
QUOTED = re.compile(r"""(?<!\w)(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""")  # an apostrophe within a word opens nothing
CONDITION = re.compile(r"(?:^|: )\[([A-Z_]+(?:\.[A-Z_]+)*)\]", re.MULTILINE)  # how Spark begins what it says
LEAST_WORDS = 3  # words in a row that Spark said too, from which on they are its words

log = logging.getLogger(__name__)


def append(tables_dir: Path, entry: Entry) -> None:
    """Add a line; a log that cannot be written is no reason to end a night, and is warned of."""
    try:
        with (tables_dir / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    except OSError as error:
        log.warning("cannot write %s: %s", tables_dir / LOG, error.strerror)


def done_stage(night: dt.date, manifest: Manifest) -> Entry:
    """The line of a finished stage."""
    return {
        "at": manifest.finished_at,
        "night": str(night),
        "stage": manifest.stage,
        "status": "done",
        "seconds": manifest.seconds,
        "rows": manifest.rows,
        "bytes_written": manifest.bytes_written,
        "peak_memory_bytes": manifest.peak_memory_bytes,
        "config_digest": manifest.made_from.get("settings", ""),
        "code_version": __version__,
    }


def done_night(run: dict[str, Any], now: dt.datetime) -> Entry:
    """The line of a published night, from its row of `runs` with the stage `night`."""
    kept = ("bytes_written", "peak_memory_bytes", "config_digest", "code_version")
    return {
        "at": now.isoformat(),
        "night": str(run["night"]),
        "stage": "night",
        "status": "done",
        "seconds": round(run["seconds"], 3),
        "rows": dict(run["rows"]),
        **{name: run[name] for name in kept},
    }


def failed(night: dt.date, stage: str, seconds: float, error: BaseException, now: dt.datetime) -> Entry:
    """The line of a stage that an error ended."""
    return {
        "at": now.isoformat(),
        "night": str(night),
        "stage": stage,
        "status": "failed",
        "seconds": seconds,
        "error": type(error).__name__,
        "message": message_of(error),
    }


def alarm(of: Alarm, now: dt.datetime) -> Entry:
    """The line of an alarm about a published night."""
    values = {"metric": of.metric, "slice": of.slice, "value": of.value, "threshold": of.threshold}
    return {
        "at": now.isoformat(),
        "night": str(of.night),
        "stage": "night",
        "status": "alarm",
        **values,
        "message": of.message,
    }


def message_of(error: BaseException) -> str:
    r"""What an error says, without what may come from a record.

    Our own messages name settings and files, and quote where they show data: what is quoted is left out. Of what Spark
    says, also within a message of ours, only the name of its condition is kept, for it shows values with and without
    quotes; of the operating system's errors their reason is kept, and of others nothing.

    >>> message_of(ChronotopeError("an expression failed on a record: the value 'u17' cannot be cast"))
    "an expression failed on a record: the value '...' cannot be cast"
    >>> message_of(ChronotopeError(r"the source's value 'O\'Hara' cannot be cast"))
    "the source's value '...' cannot be cast"
    >>> message_of(ChronotopeError('the value "O\'Hara" cannot be cast'))
    "the value '...' cannot be cast"
    >>> message_of(KeyError("u17"))
    ''
    """
    spark = cause_in_spark(error)
    if isinstance(error, ChronotopeError):
        words = own_words(str(error), text_of(spark), condition_of(spark)) if spark else str(error)
        return QUOTED.sub("'...'", words)
    if isinstance(error, OSError):
        return error.strerror or ""
    return condition_of(spark) if spark else ""


def cause_in_spark(error: BaseException) -> BaseException | None:
    """The error of Spark that an error is or came from, None where it did not."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, PySparkException | Py4JError):
        seen = seen.__cause__ or seen.__context__
    return seen


def condition_of(error: BaseException) -> str:
    """The name of the condition that an error of Spark tells of, empty where it names none."""
    told = error.getCondition() if isinstance(error, PySparkException) else None
    found = CONDITION.search(text_of(error))
    return told or (found[1] if found else "")


def own_words(text: str, said: str, condition: str) -> str:
    """A message with the name of Spark's condition in the place of what Spark said.

    >>> own_words("s: it failed: The value 41L is bad. Use try_.", "[OVERFLOW] The value 41L is bad. SQL", "OVERFLOW")
    's: it failed: [OVERFLOW] Use try_.'
    """
    parts = re.findall(r"\w+|\W+", text)
    kept, start = "", 0
    while start < len(parts):
        end = start
        while end < len(parts) and "".join(parts[start : end + 1]) in said:
            end += 1
        n_words = sum(part[0].isalnum() or part[0] == "_" for part in parts[start:end])
        if n_words >= LEAST_WORDS:
            blank = " " if parts[end - 1].endswith(" ") else ""
            kept, start = f"{kept}[{condition or '...'}]{blank}", end
        else:
            kept, start = kept + parts[start], start + 1
    return kept


class JsonLines(logging.Formatter):
    """Log records as one JSON object a line: their `entry` where they carry one, else time, level and message."""

    def format(self, record: logging.LogRecord) -> str:
        """One record's line."""
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat()
        plain = {"at": at, "level": record.levelname.lower(), "message": record.getMessage()}
        return json.dumps(getattr(record, "entry", plain), ensure_ascii=False)
