"""Cutting each user's events into sessions, night by night."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.places import haversine_m
from chronotope.slots import end_of
from chronotope.tables.sessions import SESSIONS
from chronotope.weights import DAY_S

EVENT_FIELDS = ("event_id", "item_id", "action", "occurred_at", "slot", "cell", "region", "lat", "lon")
STEP_FIELDS = (*EVENT_FIELDS, "gap_s", "distance_m")


def sessions(events: DataFrame, open_sessions: DataFrame | None, settings: Settings, night: dt.date) -> DataFrame:
    """The sessions that this night begins, changes or closes: rows of table `sessions`.

    A user's events in time order, ties by event_id, are cut where the gap to the event before is strictly greater
    than `sessions.gap_s`; a gap of exactly `gap_s` stays in the session. Searches without an item are steps like any
    other, with a null item_id. Nothing crosses users, and a session's key depends on its own first event alone.

    A session is closed when no event that a later night may take in (see `open_from`) can be within the gap of its last
    step. Closed sessions are no input here, so they never change.

    A late event may join two open sessions or come before the first event of one. The session then has the key of
    its new first event, as a rebuild from all events would give it, and a key that it loses gets a last row with no
    steps (closed, with the times of the session that took it over). Exploding the steps of the latest row per key
    therefore meets every event once; a reader that counts sessions leaves out those with `size(steps) = 0`.

    Args:
        events: the events that this night took in; on a first night or in a backfill, all of them.
        open_sessions: the latest row per key of table `sessions` as of the night before, of the sources that this night
            reads: what others may still bring is not known, and theirs stay as they are. Closed ones are ignored. None
            on a first night.
        settings: reads `sessions.gap_s`, `night.late_days` and `night.time_zone`.
        night: after whose end sessions are closed, and what the rows are written under.

    Returns:
        No row for a session that stays open and got no event tonight; no row at all for no events.

    """
    steps = event_steps(events)
    if open_sessions is not None:
        steps = steps.unionByName(known_steps(open_sessions.where(~F.col("closed"))))
    return SESSIONS.conform(
        gather(cut(steps, settings.sessions.gap_s))
        .withColumn("closed", F.col("ended_at") < F.lit(open_from(night, settings)))
        .where(F.col("closed") | ~F.col("known_size").eqNullSafe(F.size("steps")))
        .select("*", F.explode("keys").alias("session_key"))
        .select(
            "session_key", "user_id", "started_at", "ended_at",
            (F.col("closed") | ~survives()).alias("closed"),
            F.when(survives(), F.col("steps")).otherwise(F.slice("steps", 1, 0)).alias("steps"),
            F.lit(night).alias("night"),
        )
    )  # fmt: skip


def open_from(night: dt.date, settings: Settings) -> dt.datetime:
    """The time (UTC) from which on the last step of a session must be for it to be open after a night.

    No later night takes in an event from before the end of the day that is `night.late_days` before this one. Days are
    those on the clock of night.time_zone, as in ingest: three of them have 73 hours when it goes back.
    """
    taken_from = end_of(night - dt.timedelta(days=settings.night.late_days), settings.night.time_zone)
    return taken_from - dt.timedelta(seconds=settings.sessions.gap_s)


def open_since(last: dt.date, settings: Settings) -> dt.date:
    """The earliest night that can have written the row of a session that is open as of the night `last`.

    Such a session's last event is from `open_from` or later, and the night that took that event in, or a later one,
    wrote the row.
    """
    return last - dt.timedelta(days=settings.night.late_days + math.ceil(settings.sessions.gap_s / DAY_S))


def of_sources(rows: DataFrame, names: Sequence[str]) -> DataFrame:
    """The rows whose users are of these sources."""
    return rows.where(F.substring_index("user_id", ":", 1).isin(list(names)))


def still_open(rows: DataFrame) -> DataFrame:
    """The sessions that are open, of rows of several nights: the latest row of each key that is not closed."""
    newest = Window.partitionBy("session_key").orderBy(F.desc("night"))
    latest = rows.withColumn("place", F.row_number().over(newest)).where(F.col("place") == 1).drop("place")
    return latest.where(~F.col("closed"))


def event_steps(events: DataFrame) -> DataFrame:
    """One row per new event: user_id, the event's fields and a null known_size."""
    return events.select("user_id", *EVENT_FIELDS, F.lit(None).cast("int").alias("known_size"))


def known_steps(open_sessions: DataFrame) -> DataFrame:
    """The steps of open sessions as rows; the first of each session carries its length as known_size."""
    size = F.size("steps")
    exploded = open_sessions.select("user_id", size.alias("size"), F.posexplode("steps").alias("position", "step"))
    return exploded.select(
        "user_id",
        *[F.col(f"step.{name}") for name in EVENT_FIELDS],
        F.when(F.col("position") == 0, F.col("size")).alias("known_size"),
    )


def cut(steps: DataFrame, gap_s: float) -> DataFrame:
    """Add first_event_id (of the step's session), and gap_s and distance_m since the step before in the session."""
    in_time = Window.partitionBy("user_id").orderBy("occurred_at", "event_id")
    before = F.lag(F.struct("occurred_at", "lat", "lon")).over(in_time)
    # Microseconds since the epoch: neither the session's time zone nor a clock change moves a gap.
    waited_s = (F.unix_micros("occurred_at") - F.unix_micros("before.occurred_at")) / F.lit(1e6)
    starts = F.col("waited_s").isNull() | (F.col("waited_s") > F.lit(gap_s))
    moved_m = haversine_m(F.col("before.lat"), F.col("before.lon"), F.col("lat"), F.col("lon"))
    placed = (F.col("before.lat") + F.col("before.lon") + F.col("lat") + F.col("lon")).isNotNull()
    so_far = in_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    return (
        steps.withColumn("before", before)
        .withColumn("waited_s", waited_s)
        .withColumn("first_event_id", F.last(F.when(starts, F.col("event_id")), ignorenulls=True).over(so_far))
        .withColumn("gap_s", F.when(~starts, F.col("waited_s")))
        .withColumn("distance_m", F.when(~starts & placed, moved_m))
    )


def gather(steps: DataFrame) -> DataFrame:
    """One row per session: user_id, keys (its own, then those it took over), times, steps and known_size.

    known_size is how many steps the session of this key had the night before; null when there was no such key.
    """
    # The sort reads the fields from the left, so time and id come first; the grouping needs no shuffle of its own.
    others = [name for name in STEP_FIELDS if name not in ("occurred_at", "event_id")]
    collected = F.array_sort(F.collect_list(F.struct("occurred_at", "event_id", "known_size", *others)))
    took_over = F.filter("all", lambda step, place: (place > 0) & step["known_size"].isNotNull())
    key = session_key(F.col("user_id"), F.col("first_event_id"))
    stale = F.transform(took_over, lambda step: session_key(F.col("user_id"), step["event_id"]))
    return (
        steps.groupBy("user_id", "first_event_id")
        .agg(collected.alias("all"))
        .select(
            "user_id",
            F.concat(F.array(key), stale).alias("keys"),
            F.col("all")[0]["occurred_at"].alias("started_at"),
            F.element_at("all", -1)["occurred_at"].alias("ended_at"),
            F.transform("all", lambda step: F.struct(*[step[f].alias(f) for f in STEP_FIELDS])).alias("steps"),
            F.col("all")[0]["known_size"].alias("known_size"),
        )
    )


def session_key(user_id: Column, first_event_id: Column) -> Column:
    """The 32 hex digits that name a session; event ids have no blank, so no two pairs make the same text."""
    return F.md5(F.concat_ws(" ", first_event_id, user_id))


def survives() -> Column:
    """Whether a row's session_key is the session's own, not one that it took over."""
    return F.col("session_key") == F.col("keys")[0]
