"""From clocks to instants: UTC times and local offsets, over clock changes too."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

MAX_OFFSET_MIN = 18 * 60  # java.time's limit; the widest in use is 14 h
YEAR_1_S, YEAR_10000_S = -62_135_596_800, 253_402_300_800  # seconds since 1970, both years' first
BLANKS = "".join(map(chr, range(33))) + "\x7f"  # what try_to_timestamp passes over at both ends of a text


def known_zone(zone: Column) -> Column:
    """The zone's name without blanks around it, null where the engine does not know it.

    >>> zones = spark.createDataFrame([(" Europe/Paris ",), ("Europe/Atlantis",), (None,)], "zone string")
    >>> zones.select(known_zone(F.col("zone")).alias("known")).collect()
    [Row(known='Europe/Paris'), Row(known=None), Row(known=None)]
    """
    name = F.btrim(zone, F.lit(BLANKS))
    # Asked of the engine, for a name that its tz database lacks would end the night in from_utc_timestamp.
    return F.when(F.try_to_timestamp(F.concat(F.lit("2000-01-01 00:00:00 "), name)).isNotNull(), name)


def own_offset(text: Column) -> Column:
    """Minutes of UTC offset from text; null where it is no number or beyond 18 hours."""
    minutes = text.try_cast("double")
    return F.when(F.abs(minutes) <= MAX_OFFSET_MIN, F.round(minutes).cast("int"))


def clock_of(kind: str, occurred: Column) -> Column:
    """What `occurred` says, as a timestamp: the instant, or for `timestamp_ntz` the local clock read as if it were UTC.

    `kind` is the type of `occurred`: `timestamp`, `timestamp_ntz` or `string`. Text must begin with an ISO 8601 date
    and is UTC where it names no offset; null where it cannot be read, or is outside the years 1 to 9999.
    """
    if kind == "string":
        # Without the date's dash, try_to_timestamp would complete "12:30" with today's date.
        return F.when(F.substring(occurred, 5, 1) == "-", F.try_to_timestamp(occurred))
    clock = occurred.cast("timestamp")  # the session's zone is UTC everywhere in this project
    # At the ends of the engine's range, 292,000 years away, adding an offset overflows and would end the night.
    known = (clock >= F.timestamp_seconds(F.lit(YEAR_1_S))) & (clock < F.timestamp_seconds(F.lit(YEAR_10000_S)))
    return F.when(known, clock)


def instant_of(kind: str, clock: Column, without_offset: Column, offset_min: Column, zone: Column) -> Column:
    """The instant in UTC of a clock reading; null where neither the offset nor the zone that it needs is known.

    A local clock is turned by the record's own offset, else by its zone. Of the hour that a zone has twice in autumn
    the first is meant, and in the hour that it skips in spring a clock is taken as not yet changed, as java.time does.
    """
    if kind != "timestamp_ntz":
        return clock
    by_offset = F.timestamp_micros(F.unix_micros(clock) - offset_min.cast("bigint") * 60_000_000)
    return F.when(without_offset, F.to_utc_timestamp(clock, zone)).otherwise(by_offset)


def zone_offset(occurred_at: Column, zone: Column) -> Column:
    """Local time less UTC of a known zone at an instant, in minutes.

    >>> paris = spark.createDataFrame([("2026-03-29 00:59:59",), ("2026-03-29 01:00:00",)], "at string")
    >>> offset = zone_offset(F.to_timestamp("at"), F.lit("Europe/Paris"))
    >>> [row.offset for row in paris.select(offset.alias("offset")).collect()]
    [60, 120]
    """
    local_s = F.unix_seconds(F.from_utc_timestamp(occurred_at, zone))
    # Historic local mean times have seconds; an offset here is whole minutes.
    return F.round((local_s - F.unix_seconds(occurred_at)) / 60).cast("int")
