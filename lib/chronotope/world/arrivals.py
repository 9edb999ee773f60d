"""How the events of the demo world arrive: most on their day, some late, twice or broken, in shares that are known."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.world.chance import entry, pick, uniform, whole
from chronotope.world.options import BROKEN, WorldOptions

# Days between occurrence and arrival (UTC dates). An event is too late when it is older than `late_days` = 3 at its
# arrival day's end: two dates later never is, four dates later always.
LATE_DAYS = (1, 2)
TOO_LATE_DAYS = (4, 7)
COPY_DAYS = (0, 2)  # days between the two copies of an event: the second is never too late


def make_arrivals(events: DataFrame, options: WorldOptions) -> DataFrame:
    """One row per record that arrives: the columns of the events and arrived, copy and reasons.

    arrived is the day (UTC, since 1970-01-01); copy is 1, or 2 for the second of two equal records; reasons is the
    sorted array of the rules that ingest will find broken, empty for what it takes in. An event whose delay would
    lead beyond the last day arrives on its day, once.
    """
    last_day = options.first_day + options.days - 1
    fated = events.withColumn("fate", fate(options))
    due = fated.withColumn("due", F.col("day") + delay_days(options.seed))
    settled = due.withColumn("fate", F.when(F.col("due") > last_day, "none").otherwise(F.col("fate")))
    copies = F.when(F.col("fate") == "duplicate", 2).otherwise(1)
    arrived = F.when((F.col("fate") == "none") | (F.col("copy") < copies), F.col("day")).otherwise(F.col("due"))
    return (
        settled.withColumn("copy", F.explode(F.sequence(F.lit(1), copies)))
        .withColumn("arrived", arrived)
        .withColumn("reasons", reasons())
        .drop("due")
    )


def delay_days(seed: int) -> Column:
    """How many days (UTC dates) after its day the last copy of an event arrives."""
    delay = F.lit(0)
    for name, (least, most) in {"late": LATE_DAYS, "too_late": TOO_LATE_DAYS, "duplicate": COPY_DAYS}.items():
        days = least + whole(chance_of("delay", seed), most - least + 1)
        delay = F.when(F.col("fate") == name, days).otherwise(delay)
    return delay


def fate(options: WorldOptions) -> Column:
    """What happens to an event on its way: none, late, too_late, duplicate, or a kind in BROKEN.

    A search has no item that could be missing, so that it escapes that fate.
    """
    shares = {"late": options.late_share, "too_late": options.too_late_share, "duplicate": options.duplicate_share}
    shares |= dict.fromkeys(BROKEN, options.broken_share)
    weights = [*shares.values(), 1 - options.faulty_share]
    drawn = entry([*shares, "none"], pick(chance_of("fate", options.seed), weights))
    return F.when((drawn == "missing_item") & F.col("item").isNull(), "none").otherwise(drawn)


def reasons() -> Column:
    """The sorted array of the rules that a record breaks, by its fate and copy; empty for a good one."""
    refused = F.when(F.col("fate") == "too_late", F.lit(["too_late"])).otherwise(F.lit([]).cast("array<string>"))
    refused = F.when((F.col("fate") == "duplicate") & (F.col("copy") == 2), F.lit(["duplicate"])).otherwise(refused)
    for kind, broken in BROKEN.items():
        refused = F.when(F.col("fate") == kind, F.lit(sorted(broken))).otherwise(refused)
    return refused


def chance_of(name: str, seed: int) -> Column:
    """A uniform number for each event."""
    return uniform(seed, name, F.xxhash64("event_id"))
