"""The records of the demo world as they are delivered: JSON lines by arrival day, and a catalogue."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.world.sessions import DAY_S

AHEAD_DAYS = 400  # how far in the future a broken clock is
FIELDS = ("event_id", "user", "item", "action", "ts", "lat", "lon", "city", "value", "query")


def make_lines(arrivals: DataFrame) -> DataFrame:
    """One JSON line for each record, broken where its reasons say so: columns day (YYYY-MM-DD, of arrival) and line.

    A missing field is left out of the object. Rows of a day are sorted by the time that they occurred at, as a log
    is, so that late ones come first.
    """
    day = F.date_from_unix_date("arrived").cast("string").alias("day")
    fields = damaged(arrivals.withColumn("ts", iso_time(F.col("occurred_s"), F.col("utc_offset_min"))))
    line = F.to_json(F.struct(*FIELDS))
    # Half an object: a writer that was killed, or a full disk.
    half = F.substring(line, F.lit(1), F.floor(F.length(line) / 2).cast("int"))
    lines = fields.select(day, F.when(broken("malformed"), half).otherwise(line).alias("line"), *ORDER)
    return lines.repartition("day").sortWithinPartitions("day", *ORDER).drop(*ORDER)


ORDER = ("occurred_s", "event_id", "copy")


def damaged(records: DataFrame) -> DataFrame:
    """The records with the fields that their reasons name emptied or spoilt."""
    later = iso_time(F.col("occurred_s") + AHEAD_DAYS * DAY_S, F.col("utc_offset_min"))
    no_month = F.concat(F.substring("ts", 1, 5), F.lit("13"), F.substring("ts", 8, 18))
    ts = F.when(broken("after_night"), later).when(broken("unreadable_time"), no_month).otherwise(F.col("ts"))
    return (
        records.withColumn("user", F.when(~broken("missing_user"), F.col("user")))
        .withColumn("item", F.when(~broken("missing_item"), F.col("item")))
        .withColumn("ts", F.when(~broken("missing_time"), ts))
        .withColumn("action", F.when(broken("unknown_action"), "teleport").otherwise(F.col("action")))
        .withColumn("lat", F.when(broken("bad_coordinates"), F.lit(123.4)).otherwise(F.col("lat")))
        .withColumn("lon", F.when(broken("bad_coordinates"), F.lit(567.8)).otherwise(F.col("lon")))
    )


def broken(rule: str) -> Column:
    """Whether a record breaks a rule."""
    return F.array_contains("reasons", rule)


def iso_time(epoch_s: Column, offset_min: Column) -> Column:
    """ISO 8601 with the local offset, whatever the session's time zone.

    >>> spark.range(1).select(iso_time(F.lit(1767942753), F.lit(-300))).first()[0]
    '2026-01-09T02:12:33-05:00'
    """
    local_s = epoch_s + offset_min * 60
    date = F.date_from_unix_date(F.floor(local_s / DAY_S).cast("int")).cast("string")
    of_day = F.pmod(local_s, F.lit(DAY_S)).cast("int")
    clock = [F.floor(of_day / 3600), F.floor(of_day / 60) % 60, of_day % 60]
    sign = F.when(offset_min < 0, "-").otherwise("+")
    offset = [F.floor(F.abs(offset_min) / 60), F.abs(offset_min) % 60]
    return F.format_string("%sT%02d:%02d:%02d%s%02d:%02d", date, *clock, sign, *offset)
