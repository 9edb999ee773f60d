"""What becomes of judged records: events, rejects, and the counts that let the night go on or end it."""

from __future__ import annotations

from collections import Counter
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
    """The `rejects` rows of a judged frame, or of `broken_rows`; equal records are numbered by `copy`.

    `before` has the rejects of earlier nights: a log or a catalogue delivered whole brings the same faulty records each
    night, and they are kept once. None for a log delivered by day.
    """
    rows = judged.where(F.col("outcome") == "refused")
    copies = Window.partitionBy("record_id").orderBy("reasons")
    rows = rows.select(
        *("record_id", "source"),
        # In a record that could not be parsed, what stands in the user's place may be anything.
        F.when(~F.array_contains("reasons", "malformed"), F.col("user_id")).alias("user_id"),
        *("record", "reasons"),
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
    copies: int  # of the refused: with no fault but that they are taken already
    known: int
    later: int
    reasons: Mapping[str, int]
    first_later: str | None  # UTC, as text: it may be in a year that Python does not know

    def text(self) -> str:
        """One line for the log.

        >>> Tally(9, 2, 0, 0, 1, {"missing_user": 2, "duplicate": 1}, None).text()
        '9 accepted, 2 refused (duplicate 1, missing_user 2), 0 known, 1 later'
        """
        reasons = ", ".join(f"{name} {n}" for name, n in sorted(self.reasons.items()))
        listed = f" ({reasons})" if reasons else ""
        return f"{self.accepted} accepted, {self.refused} refused{listed}, {self.known} known, {self.later} later"


def tally(judged: DataFrame, rejects: DataFrame) -> Tally:
    """Count the outcomes of a judged frame, and the reasons among the night's rejects.

    What is collected is a row per outcome and one per set of reasons, whatever the size of the log.
    """
    later_at = F.min(F.when(F.col("outcome") == "later", F.col("occurred_at"))).cast("string")
    outcomes = judged.groupBy("outcome").agg(F.count("*").alias("n"), later_at.alias("later_at")).collect()
    n = {row["outcome"]: row["n"] for row in outcomes}
    broken = rejects.groupBy("reasons").agg(F.count("*").alias("n")).collect()
    sets = {tuple(row["reasons"]): row["n"] for row in broken}
    reasons: Counter[str] = Counter()
    for names, records in sets.items():
        reasons.update(dict.fromkeys(names, records))
    return Tally(
        accepted=n.get("accepted", 0),
        refused=sum(sets.values()),
        copies=sets.get(("duplicate",), 0),
        known=n.get("known", 0),
        later=n.get("later", 0),
        reasons=reasons,
        first_later=next((row["later_at"] for row in outcomes if row["outcome"] == "later"), None),
    )


def check_tally(tally: Tally, max_reject_share: float, night: Span, judged_at: str) -> None:
    """Refuse a night whose log must be wrong; `judged_at` says where the records lie with their reasons.

    Mere copies are no sign of that: clients send again what was not confirmed. A feed that comes twice as a whole
    raises the alarm on rejects.

    Raises:
        DataError: when more than `max_reject_share` of the records that are new and no copies are refused, with the
            counts per reason, or when a first night finds not one record.
        UsageError: when a first night lies before the first event.
    """
    new = tally.accepted + tally.refused
    if night.previous is None and not new:
        if tally.first_later is not None:
            raise UsageError(f"night {night.date} is before the first event, at {tally.first_later} UTC: move --date")
        raise DataError(f"night {night.date} is the first, and its inputs hold not one record")
    broken, judged = tally.refused - tally.copies, new - tally.copies
    if broken > max_reject_share * judged:
        raise DataError(
            f"night {night.date} refuses {broken} of {judged} records, mere copies aside, more than "
            f"ingest.max_reject_share = {max_reject_share:g} of them: {tally.text()}. Look at `record` and "
            f"`reasons` in {judged_at}, correct the source file, or raise the share there with the reason"
        )
