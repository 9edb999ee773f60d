"""Spark frames of histories from the rows of tests.train.small."""

from __future__ import annotations

from typing import Any

import numpy as np

SCHEMA = (
    "user_id string, event_id array<string>, item_id array<string>, action array<string>, "
    "occurred_at_s array<double>, slot array<int>, region array<string>, lat array<double>, lon array<double>, "
    "gap_s array<double>, distance_m array<double>"
)


def plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [None if each != each else each for each in value.tolist()]
    return value


def histories_frame(spark, rows: list[dict[str, Any]]):
    return spark.createDataFrame([{name: plain(value) for name, value in row.items()} for row in rows], SCHEMA)
