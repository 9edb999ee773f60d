"""What a night is watched by: rows of `evaluations` under the protocol `watch`, each beside what would be too much.

`high` is the value above which `chronotope.evaluate.alarms` raises an alarm, from the settings of section `alarms`.
A night is compared with what the nights of the `trailing_days` before it kept here, so it reads its own events and a
few hundred rows of each of theirs. A first night has nothing to be compared with: those rows are missing, or their
`high` is.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from chronotope.config import AlarmSettings, InterestSettings, Settings
from chronotope.evaluate.alarms import (
    ACTIONS,
    AGE,
    CHURN,
    INTERESTS,
    PROTOCOL,
    REJECTS,
    SHARE,
    SHORTFALL,
    TEXTS,
    WITHOUT_LIST,
)
from chronotope.evaluate.drift import Mix, drift, pooled
from chronotope.evaluate.mixes import ACTION, BUCKET, TERM, mixes
from chronotope.slots import end_of
from chronotope.tables.runs import EVALUATIONS

MODEL = "night"  # what stands for a model in rows that depend on none
PSI_OF = {ACTION: ACTIONS, TERM: INTERESTS, BUCKET: TEXTS}
LIST = ("user_id", "daypart", "region")
HOUR_S = 3600.0
FEWEST_NIGHTS = 3  # trailing nights that tell what is few: the first one of them may have taken in a long history

Entry = dict[str, Any]  # a row of `evaluations`, or what of it is known so far


@dataclass(frozen=True)
class Watched:
    """What is watched, and what it is compared with."""

    events: DataFrame  # rows of `events` that the night took in
    rejects: DataFrame  # rows of `rejects` that the night refused
    interests: DataFrame  # rows of `interests` that the night wrote
    lists: DataFrame  # current rows of `recommendations`
    lists_before: DataFrame | None  # those of the night before; None on a first night
    buckets: DataFrame  # item_id, bucket: see `mixes.text_buckets`
    encoder: str  # name of the encoder that made the buckets' vectors
    earlier: DataFrame  # rows of `evaluations` of earlier nights


def watch(of: Watched, settings: Settings, night: dt.date) -> DataFrame:
    """Table `evaluations`, protocol `watch`: what a night is watched by.

    - `newest_event_age_h`, by source: hours from the newest accepted event, of this night or one before, to the end of
      the night. A source that has sent nothing for `trailing_days` is no longer expected, and has no row.
    - `event_shortfall`, by source with events: how many times fewer they are than on the sparsest of the trailing
      nights, of which there must be `FEWEST_NIGHTS`.
    - `reject_share`, by source: records refused over records new; too much is `reject_ratio` times that of the trailing
      nights, and `min_reject_share`.
    - `share_without_list`: of the users with events, those without a list of their own.
    - `list_churn`: of the items on these users' lists, those that were not on last night's list for the same user,
      daypart and region; lists that were not there last night are left out.
    - `psi_actions`, `psi_interests`, `psi_embeddings`: drift against the trailing nights, see
      `chronotope.evaluate.drift`, of the actions of the night's events, of the short interests of their users by term
      (as the same settings of interest made them), and of the texts of their items by bucket (of the same encoder); and
      the mixes themselves, metric `share`, for the nights to come. Too much is more than `max_psi` and more than chance
      would do.

    `n` counts records, users, list places, or users of a mix. Only users with events are counted, so the cost follows
    the day. What comes to the driver is a row per source and `mixes.KEPT_BINS` rows per mix, of each trailing night.
    """
    tonight = defaultdict(list)
    for row in measured(of).collect():
        tonight[row["about"]].append(row)
    since = F.lit(trailing_from(settings.alarms, night))
    trailing = of.earlier.where((F.col("protocol") == PROTOCOL) & (F.col("night") >= since)).collect()
    entries = [
        *ages(tonight[AGE], trailing, settings, night),
        *shortfalls(tonight[AGE], trailing, settings.alarms),
        *reject_shares(tonight[REJECTS], trailing, settings.alarms),
        *shares(tonight[WITHOUT_LIST], WITHOUT_LIST, settings.alarms.max_without_list_share),
        *shares(tonight[CHURN], CHURN, settings.alarms.max_churn_share),
        *(
            each
            for about, made_by in makers(of.encoder, settings.interest).items()
            for each in drifts(tonight[about], about, made_by, trailing, settings.alarms)
        ),
    ]
    shared = {"model": MODEL, "protocol": PROTOCOL, "slice": "all", "low": None, "high": None, "night": night}
    rows = [tuple((shared | entry)[name] for name in EVALUATIONS.names) for entry in entries]
    return of.events.sparkSession.createDataFrame(rows, EVALUATIONS.schema())


def trailing_from(alarms: AlarmSettings, night: dt.date) -> dt.date:
    """The first of the days whose nights a night is compared with."""
    return night - dt.timedelta(alarms.trailing_days)


def measured(of: Watched) -> DataFrame:
    """What the night's tables say, added up: about, bin, value, n; about a metric, or a mix."""
    active = of.events.select("user_id").distinct()
    found = by_source(of.events, of.rejects).unionByName(without_list(active, of.lists))
    if of.lists_before is not None:
        found = found.unionByName(churn(active, of.lists, of.lists_before))
    of_mixes = mixes(of.events, of.interests, of.buckets)
    return found.unionByName(of_mixes.select("about", "bin", F.col("mass").alias("value"), F.col("users").alias("n")))


def by_source(events: DataFrame, rejects: DataFrame) -> DataFrame:
    """Of each source the newest event (epoch seconds) among its n events, and the refused among its n new records."""
    taken = events.select("source", (F.unix_micros("occurred_at") / 1e6).alias("at"), F.lit(0).alias("refused"))
    refused = rejects.select("source", F.lit(None).cast("double").alias("at"), F.lit(1).alias("refused"))
    both = F.array(fields(AGE, F.max("at"), F.count("at")), fields(REJECTS, F.sum("refused"), F.count("*")))
    counted = taken.unionByName(refused).groupBy("source").agg(both.alias("both"))
    of_source = counted.select(F.concat(F.lit("source="), "source").alias("bin"), F.explode("both").alias("of"))
    return of_source.select("of.about", "bin", "of.value", "of.n")


def without_list(active: DataFrame, lists: DataFrame) -> DataFrame:
    """How many of the n active users have no list of their own."""
    having = lists.select("user_id").join(active, "user_id", "left_semi").distinct().withColumn("has", F.lit(1))
    missing = F.count_if(F.col("has").isNull())
    counted = active.join(having, "user_id", "left").agg(fields(WITHOUT_LIST, missing, F.count("*")).alias("of"))
    return counted.select("of.about", F.lit("all").alias("bin"), "of.value", "of.n")


def churn(active: DataFrame, lists: DataFrame, before: DataFrame) -> DataFrame:
    """How many of the n items on the active users' lists were not on the same list the night before."""

    def items(of: DataFrame, name: str) -> DataFrame:
        theirs = of.join(active, "user_id", "left_semi")
        return theirs.groupBy(*LIST).agg(F.collect_set("item_id").alias(name))

    both = items(lists, "now").join(items(before, "then"), [*LIST])
    new, n = F.sum(F.size(F.array_except("now", "then"))), F.sum(F.size("now"))
    counted = both.agg(fields(CHURN, F.coalesce(new, F.lit(0)), F.coalesce(n, F.lit(0))).alias("of"))
    return counted.select("of.about", F.lit("all").alias("bin"), "of.value", "of.n")


def fields(about: str, value: Column, n: Column) -> Column:
    """What `measured` tells about one thing, as a struct."""
    return F.struct(
        F.lit(about).alias("about"), value.cast("double").alias("value"), n.cast("bigint").alias("n")
    )  # fmt: skip


def ages(tonight: list[Row], trailing: list[Row], settings: Settings, night: dt.date) -> Iterator[Entry]:
    """`newest_event_age_h` of each source, from its newest event of the night or of those before."""
    zone, alarms = settings.night.time_zone, settings.alarms
    newest: dict[str, float] = {}
    for row in trailing:
        if row["metric"] == AGE:
            at = end_of(row["night"], zone).timestamp() - row["value"] * HOUR_S
            newest[row["slice"]] = max(at, newest.get(row["slice"], at))
    n = {row["bin"]: row["n"] for row in tonight if row["n"]}
    for row in tonight:
        if row["n"]:
            newest[row["bin"]] = max(row["value"], newest.get(row["bin"], row["value"]))
    for source, at in sorted(newest.items()):
        hours = (end_of(night, zone).timestamp() - at) / HOUR_S
        if source in n or hours <= 24 * alarms.trailing_days:
            yield {"metric": AGE, "slice": source, "value": hours, "high": alarms.max_event_age_hours,
                   "n": n.get(source, 0)}  # fmt: skip


def shortfalls(tonight: list[Row], trailing: list[Row], alarms: AlarmSettings) -> Iterator[Entry]:
    """`event_shortfall` of each source with events; weekends and holidays are the sparsest nights of their weeks."""
    for row in tonight:
        usual = [r["n"] for r in trailing if r["metric"] == AGE and r["slice"] == row["bin"]]
        if row["n"] and len(usual) >= FEWEST_NIGHTS:
            yield {"metric": SHORTFALL, "slice": row["bin"], "value": min(usual) / row["n"],
                   "high": alarms.max_shortfall, "n": row["n"]}  # fmt: skip


def reject_shares(tonight: list[Row], trailing: list[Row], alarms: AlarmSettings) -> Iterator[Entry]:
    """`reject_share` of each source with records."""
    for row in tonight:
        before = [r for r in trailing if r["metric"] == REJECTS and r["slice"] == row["bin"]]
        records = sum(r["n"] for r in before)
        usual = sum(r["value"] * r["n"] for r in before) / records if records else None
        high = None if usual is None else max(alarms.min_reject_share, alarms.reject_ratio * usual)
        yield {"metric": REJECTS, "slice": row["bin"], "value": row["value"] / row["n"], "high": high, "n": row["n"]}


def shares(tonight: list[Row], metric: str, high: float) -> Iterator[Entry]:
    """A figure as the share that it is of its n, where there are any."""
    for row in tonight:
        if row["n"]:
            yield {"metric": metric, "value": row["value"] / row["n"], "high": high, "n": row["n"]}


def makers(encoder: str, interest: InterestSettings) -> dict[str, str]:
    """Who makes each mix: what two encoders make of a text, and two kinds of settings of interest, is not alike."""
    settings = json.dumps(interest.model_dump(), sort_keys=True).encode()
    return {ACTION: MODEL, TERM: f"interest {hashlib.sha256(settings).hexdigest()[:12]}", BUCKET: encoder}


def drifts(tonight: list[Row], about: str, model: str, trailing: list[Row], alarms: AlarmSettings) -> Iterator[Entry]:
    """The index of one mix beside others by its maker, where both sides have users; the mix itself for later nights."""
    if not tonight:
        return
    now = Mix({row["bin"]: row["value"] for row in tonight}, tonight[0]["n"])
    then = trailing_mix(trailing, about, model)
    if then.users:
        value, chance = drift(now, then, alarms.psi_confidence)
        yield {"model": model, "metric": PSI_OF[about], "value": value, "high": max(alarms.max_psi, chance),
               "n": now.users}  # fmt: skip
    for name, mass in sorted(now.bins.items()):
        yield {"model": model, "metric": SHARE, "slice": f"{about}={name}", "value": mass / now.users, "n": now.users}


def trailing_mix(trailing: list[Row], about: str, model: str) -> Mix:
    """The mixes that earlier nights kept, as one."""
    nights: dict[dt.date, dict[str, float]] = defaultdict(dict)
    users: dict[dt.date, float] = {}
    for row in trailing:
        of, _, name = row["slice"].partition("=")
        if (row["metric"], row["model"], of) == (SHARE, model, about):
            nights[row["night"]][name] = row["value"] * row["n"]
            users[row["night"]] = row["n"]
    return pooled(Mix(bins, users[night]) for night, bins in nights.items())
