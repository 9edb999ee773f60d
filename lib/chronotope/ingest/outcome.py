"""What becomes of judged records: events, rejects, and the counts that let the night go on or end it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from chronotope.config import IngestSettings
from chronotope.errors import DataError, UsageError
from chronotope.ingest.span import Span
from chronotope.places import with_cells
from chronotope.slots import slot_of
from chronotope.tables.events import EVENTS, REJECTS


def accepted(judged: DataFrame, settings: IngestSettings, night: Span) -> DataFrame:
    """The `events` rows of a judged frame: local slot, H3 cell, and the cell's region where the source names none."""
    events = judged.where(F.col("outcome") == "accepted").drop("item", "record", "record_id", "reasons", "arrival_day")
    events = with_cells(events, settings.cell_resolution, settings.region_resolution)
    events = events.withColumns(
        {
            "slot": slot_of(F.col("occurred_at"), F.col("utc_offset_min")),
            "region": F.coalesce("region", "region_cell"),
            "query": F.translate("query", "\0", ""),
            "night": F.lit(night.date),
        }
    )
    return EVENTS.conform(events.drop("region_cell", "outcome"))


def refused(judged: DataFrame, night: Span, before: DataFrame | None = None) -> DataFrame:
    """The `rejects` rows of a judged frame; equal records are numbered by `copy`.

    `before` has the rejects of earlier nights: a log delivered whole brings the same faulty records each night, and
    they are kept once. None for a log delivered by day.
    """
    rows = judged.where(F.col("outcome") == "refused")
    copies = Window.partitionBy("record_id").orderBy("reasons")
    rows = rows.select(
        *("record_id", "source", "record", "reasons"),
        F.row_number().over(copies).alias("copy"),
        F.lit(night.date).alias("night"),
    )
    if before is not None:
        rows = rows.join(before.select("record_id", "copy"), on=["record_id", "copy"], how="left_anti")
    return REJECTS.conform(rows)


@dataclass(frozen=True)
class Tally:
    """How many records came to what; `reasons` counts each refused record once per reason."""

    accepted: int
    refused: int
    known: int
    later: int
    reasons: Mapping[str, int]
    first_later: dt.datetime | None

    def text(self) -> str:
        """One line for the log.

        >>> Tally(9, 2, 0, 1, {"missing_user": 2, "duplicate": 1}, None).text()
        '9 accepted, 2 refused (duplicate 1, missing_user 2), 0 known, 1 later'
        """
        reasons = ", ".join(f"{name} {n}" for name, n in sorted(self.reasons.items()))
        listed = f" ({reasons})" if reasons else ""
        return f"{self.accepted} accepted, {self.refused} refused{listed}, {self.known} known, {self.later} later"


def tally(judged: DataFrame, rejects: DataFrame) -> Tally:
    """Count the outcomes of a judged frame, and the reasons among the night's rejects.

    Two aggregates of at most a dozen rows are collected, whatever the size of the log.
    """
    outcomes = judged.groupBy("outcome").agg(F.count("*").alias("n"), F.min("occurred_at").alias("first_at")).collect()
    n = {row["outcome"]: row["n"] for row in outcomes}
    # A null among the exploded reasons stands for the record itself, so that one pass counts both.
    exploded = rejects.select(F.explode(F.concat("reasons", F.array(F.lit(None).cast("string")))).alias("reason"))
    reasons = {row["reason"]: row["n"] for row in exploded.groupBy("reason").agg(F.count("*").alias("n")).collect()}
    refused_n = reasons.pop(None, 0)
    first_later = next((row["first_at"] for row in outcomes if row["outcome"] == "later"), None)
    return Tally(n.get("accepted", 0), refused_n, n.get("known", 0), n.get("later", 0), reasons, first_later)


def check_tally(tally: Tally, max_reject_share: float, night: Span) -> None:
    """Refuse a night whose log must be wrong.

    Raises:
        DataError: when more than `max_reject_share` of the records that are new are refused, with the counts per
            reason, or when a first night finds not one record.
        UsageError: when a first night lies before the first event.
    """
    new = tally.accepted + tally.refused
    if night.previous is None and not new:
        if tally.first_later is not None:
            raise UsageError(f"night {night.date} is before the first event, at {tally.first_later} UTC: move --date")
        raise DataError(f"night {night.date} is the first, and its inputs hold not one record")
    if tally.refused > max_reject_share * new:
        raise DataError(
            f"night {night.date} refuses {tally.refused} of {new} records, more than ingest.max_reject_share = "
            f"{max_reject_share:g} of them: {tally.text()}. Look at their records, correct the source file, or raise "
            "the share there with the reason"
        )
