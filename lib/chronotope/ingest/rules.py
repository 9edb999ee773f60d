"""All rules on all records in one pass, with one shuffle."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from chronotope.config import IngestSettings
from chronotope.ingest.records import MARK, NO_TEXT
from chronotope.ingest.source import Source
from chronotope.ingest.span import Span
from chronotope.slots import day_end, end_of

REASONS = {
    "after_night": "the time is at or after the end of the day on which the record arrived",
    "bad_coordinates": "latitude or longitude out of range, not a number, or only one of the two",
    "bad_value": "the value is not a finite number",
    "duplicate": "a copy of an event that is taken already",
    "malformed": "the record could not be parsed, or an id has a null character; no other rule can be asked",
    "missing_item": "neither an item nor a query",
    "missing_time": "no time",
    "missing_user": "no user",
    "too_late": "the event is older than night.late_days",
    "unknown_action": "the action is not one of ingest.actions",
    "unknown_offset": "no UTC offset within 18 hours and no known time zone",
    "unreadable_time": "there is a time that cannot be read, or it is before 1970 or after 9999",
    "wrong_encoding": "the record has bytes that are no text in the declared encoding",
}


def judge(
    records: DataFrame,
    source: Source,
    settings: IngestSettings,
    night: Span,
    taken: DataFrame | None = None,
    dropped: dt.date | None = None,
) -> DataFrame:
    """Say of each record what becomes of it.

    `taken` has the `event_id` of the events taken in earlier nights: all of them for a log delivered whole, and those
    of the last `late_days` for one delivered by day; None on the first night. Of equal records the first is judged
    by the others: first by arrival day, then those without faults, then by their text, so partitions do not matter.
    `dropped` is the last night that read a log delivered whole and whose rows have left the tables since; None where
    all are there. What happened up to its end cannot be told from what was judged then, and is passed over.

    Columns of the result: those of `events` before `slot` (with `lat`, `lon`, `region`, `value`, `query` after it),
    `arrival_day`, `item`, `record` and `record_id` (both null unless refused), `reasons` (sorted, empty unless
    refused) and `outcome`: `accepted`, `refused`, `known` (taken in an earlier night, or judged up to `dropped`) or
    `later` (it happened after the night of a log delivered whole).
    """
    later = F.lit(False) if source.by_day else F.coalesce(F.col("occurred_at") >= F.lit(night.end), F.lit(False))
    judged = records.withColumns({"later": later, "faults": faults_of(source, settings, night)})
    judged = judged.withColumns(
        {
            "faulty": (F.col("faults") != "") | F.col("later"),
            # What waits for its own night needs no text, and the shuffle is lighter without.
            "record": F.when(~F.col("later"), F.col("record")),
            "event_id": digest(source, F.col("key"), F.unix_micros("occurred_at"), F.col("record")),
        }
    ).drop("key")
    judged = with_copies(judged, source).withColumn("taken", F.lit(False))
    if taken is not None:
        marks = taken.select("event_id", F.lit(True).alias("taken"))
        judged = judged.drop("taken").join(marks, on="event_id", how="left")
    return concluded(judged, source, night, dropped)


def faults_of(source: Source, settings: IngestSettings, night: Span) -> Column:
    """The names of the rules that a record breaks by itself, sorted and joined by commas; empty when there is none.

    Text, not an array: joining skips nulls in generated code, while filtering an array calls a function per element.
    """
    occurred_at, lat, lon = F.col("occurred_at"), F.col("lat"), F.col("lon")
    degrees = {name: F.col(name).try_cast("double") for name in ("lat", "lon", "value")}
    within = (F.abs(degrees["lat"]) <= 90) & (F.abs(degrees["lon"]) <= 180)
    finite = F.abs(degrees["value"]) < float("inf")
    rules = {
        "bad_coordinates": (lat.isNotNull() | lon.isNotNull()) & ~F.coalesce(within, F.lit(False)),
        "bad_value": F.col("value").isNotNull() & ~F.coalesce(finite, F.lit(False)),
        "missing_item": F.col("item_id").isNull() & F.col("query").isNull(),
        "missing_time": ~F.col("readable") & F.col("time_text").isNull(),
        "missing_user": F.col("user_id").isNull(),
        "unknown_action": ~F.coalesce(F.col("action").isin(settings.actions), F.lit(False)),
        "unknown_offset": ~F.col("placeable"),
        "unreadable_time": F.col("time_text").isNotNull() & ~F.col("readable"),
        "wrong_encoding": F.contains(F.col("record"), F.lit(NO_TEXT)),
    }
    if source.by_day:
        rules["after_night"] = occurred_at >= day_end(F.col("arrival_day"), night.time_zone)
        rules["too_late"] = occurred_at < day_end(F.col("arrival_day"), night.time_zone, night.own_days)
    names = [F.when(rules[name], F.lit(name)) for name in sorted(rules)]
    null_character = F.contains(F.concat_ws("", "user_id", "item_id", "action", "region"), F.lit("\0"))
    return F.when(F.col("malformed") | null_character, F.lit("malformed")).otherwise(F.concat_ws(",", *names))


def digest(source: Source, key: Column, micros: Column, record: Column) -> Column:
    """32 hex digits of the source, the declared key and the time; of the record itself where one of the two is null.

    With the time in it, two records of one id are the same event only within `late_days`, where copies are looked for.
    """
    told = F.concat_ws(MARK, key, micros.cast("string"))
    parts = F.when(key.isNotNull() & micros.isNotNull(), told).otherwise(record)
    return F.md5(F.concat_ws(MARK, F.lit(source.name), parts))


def with_copies(judged: DataFrame, source: Source) -> DataFrame:
    """Add `copy`: whether an event of the same id without faults comes first.

    Where equal records are separate events they are numbered within their arrival day, and the number becomes part
    of the id: the same two lines delivered again are copies, and a third line is not.
    """
    order = ("arrival_day", "faulty", "record")
    first = F.col("event_id")
    if source.events.identical == "separate":
        judged = judged.repartition("event_id")
        line = F.row_number().over(Window.partitionBy("event_id", "arrival_day").orderBy("faulty", "record"))
        judged = judged.withColumn("line", line)
        window = Window.partitionBy("event_id", "line").orderBy(*order)
        first = F.md5(F.concat_ws(MARK, "event_id", F.col("line").cast("string")))
    else:
        window = Window.partitionBy("event_id").orderBy(*order)
    sound_before = F.max(~F.col("faulty")).over(window.rowsBetween(Window.unboundedPreceding, -1))
    return judged.withColumn("copy", F.coalesce(sound_before, F.lit(False))).withColumn("event_id", first).drop("line")


def concluded(judged: DataFrame, source: Source, night: Span, dropped: dt.date | None = None) -> DataFrame:
    """Add the rules that need the other records and the earlier nights, and name the outcome."""
    taken = F.coalesce(F.col("taken"), F.lit(False))
    old = F.contains(F.col("faults"), F.lit("too_late"))
    if not source.by_day and night.taken_from is not None:
        old = F.coalesce(~taken & (F.col("occurred_at") < F.lit(night.taken_from)), F.lit(False))
    # A log delivered whole brings each taken event again: that one is known, and only its faulty twins are copies.
    copy = F.col("copy") | (taken & (F.lit(source.by_day) | F.col("faulty")))
    added = F.concat_ws(
        ",",
        F.when(F.col("faults") != "", F.col("faults")),
        F.when(copy & ~old & (F.col("faults") != "malformed"), F.lit("duplicate")),
        F.when(old & ~F.contains(F.col("faults"), F.lit("too_late")), F.lit("too_late")),
    )
    passed = F.lit(False)
    if dropped is not None and not source.by_day:
        passed = F.coalesce(~taken & (F.col("occurred_at") < F.lit(end_of(dropped, night.time_zone))), passed)
    judged = judged.withColumn("added", F.when(F.col("later") | passed, F.lit("")).otherwise(added))
    refused = F.col("added") != ""
    outcome = F.when(F.col("later"), "later").when(refused, "refused").when(taken | passed, "known")
    outcome = outcome.otherwise("accepted")
    return judged.select(
        "event_id",
        F.lit(source.name).alias("source"),
        *[F.concat(F.lit(f"{source.name}:"), F.col(name)).alias(name) for name in ("user_id", "item_id")],
        *("action", "occurred_at", "utc_offset_min"),
        *[F.col(name).try_cast("double").alias(name) for name in ("lat", "lon", "value")],
        *("region", "query", "arrival_day", "item"),
        F.when(refused, F.col("record")).alias("record"),
        F.when(refused, F.md5(F.concat_ws(MARK, F.lit(source.name), F.col("record")))).alias("record_id"),
        F.when(refused, F.array_sort(F.split("added", ",")))
        .otherwise(F.array().cast("array<string>"))
        .alias("reasons"),
        outcome.alias("outcome"),
    )
