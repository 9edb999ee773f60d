"""Sources of one input, and files for them, for the tests of what reads inputs."""

from __future__ import annotations

import datetime as dt

from chronotope.ingest.source import Source
from chronotope.store.inputs import check_inputs, read_inputs

NIGHT = dt.date(2026, 1, 31)
DDL = "user STRING, item STRING, at STRING"


def source(path="log.csv", format="csv", options=None, schema=DDL, **more):
    """A source of one input `log`."""
    rules = {"path": path, "format": format, "options": options or {}} | ({"schema": schema} if schema else {})
    return Source.model_validate(
        {
            "name": "s", "description": "a test", "inputs": {"log": rules, **more.pop("inputs", {})},
            "events": {
                "from": "log", "key": ["user", "item"], "identical": "same",
                "columns": {
                    "user_id": "user", "item_id": "item", "action": "'view'", "occurred_at": "at", "utc_offset_min": "0"
                } | more,
            },
        }
    )  # fmt: skip


def put(folder, name, content):
    """A file below the folder; text is UTF-8."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(spark, of, folder, previous=None):
    """The frame of input `log`."""
    return read_inputs(spark, of, check_inputs(of, folder, NIGHT, previous))["log"]
