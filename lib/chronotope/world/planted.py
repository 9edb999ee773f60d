"""What was planted in the demo world, counted: what a night must find."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import asdict
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.world.options import EPOCH, WorldOptions


def count_arrivals(arrivals: DataFrame) -> DataFrame:
    """Records per arrived (day since 1970-01-01), fate and reasons: n. As many rows as days and kinds of faults."""
    return arrivals.groupBy("arrived", "fate", "reasons").agg(F.count(F.lit(1)).alias("n"))


def count_truth(arrivals: DataFrame) -> DataFrame:
    """One row about what ingest takes in: events, sessions, active_users, met_items."""
    accepted = arrivals.where(F.size("reasons") == 0)
    return accepted.agg(
        F.count(F.lit(1)).alias("events"),
        F.countDistinct("session").alias("sessions"),
        F.countDistinct("user").alias("active_users"),
        F.countDistinct("item").alias("met_items"),
    )


def summarise(options: WorldOptions, arrivals: list[Any], truth: dict[str, int]) -> dict[str, Any]:
    """What `planted.json` holds, from the rows of `count_arrivals` and the row of `count_truth`.

    options; events, sessions, active_users, met_items (of what is taken in); records, accepted and late: records per
    arrival day (YYYY-MM-DD), those taken in, and the late ones among these; refused: reasons (joined by ` and `) per
    arrival day; reasons: records per single rule in all.
    """
    days = [(options.start + dt.timedelta(days=number)).isoformat() for number in range(options.days)]
    records, accepted, late = (dict.fromkeys(days, 0) for _ in range(3))
    refused: dict[str, dict[str, int]] = {day: {} for day in days}
    reasons: Counter[str] = Counter()
    for row in sorted(arrivals, key=lambda row: (row["arrived"], row["fate"], row["reasons"])):
        day = (EPOCH + dt.timedelta(days=row["arrived"])).isoformat()
        records[day] += row["n"]
        if row["reasons"]:
            refused[day][" and ".join(row["reasons"])] = row["n"]
            reasons.update(dict.fromkeys(row["reasons"], row["n"]))
        else:
            accepted[day] += row["n"]
            late[day] += row["n"] * (row["fate"] == "late")
    return {
        "options": asdict(options) | {"start": options.start.isoformat()},
        **truth,
        "reasons": dict(sorted(reasons.items())),
        "records": records,
        "accepted": accepted,
        "late": late,
        "refused": refused,
    }
