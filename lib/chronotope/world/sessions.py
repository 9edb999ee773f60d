"""When and where the users of the demo world are active: bursts of events, one per two-hour window at most."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.world.chance import entry, uniform, whole
from chronotope.world.cities import CITIES
from chronotope.world.options import WorldOptions
from chronotope.world.topics import common_topic, planted_topic
from chronotope.world.users import AWAY, HOME, NEWCOMERS, WORK

DAY_S = 86_400
# Local hours at which windows start. A session starts in the first START_S of its window and lasts 40 minutes at
# most, so that it ends within its daypart, half an hour and more before the next, also across one hour of time zone.
WINDOW_HOURS = [0, 6, 8, 11, 14, 16, 18, 20]
START_S = 40 * 60
WINDOW_WEIGHTS = [[0.3, 0.8, 1.2, 1.2, 0.8, 0.8, 1.4, 1.5], [0.6, 0.2, 0.6, 1.2, 1.2, 1.2, 1.5, 1.5]]  # week, weekend
WINDOW_DAYPARTS = [[0, 1, 1, 2, 3, 3, 4, 4], [5, 6, 6, 6, 6, 6, 7, 7]]  # indices of DAYPARTS
OFFICE_WINDOWS = 2, 5  # first and last window of a weekday that are spent at work
PLANTED = 0.75  # share of sessions about the planted topic; the others follow everybody's taste in that daypart


def make_sessions(users: DataFrame, options: WorldOptions, events_per_session: float) -> DataFrame:
    """One row per session: the columns of the users and these:

    session_no, day (since the start, local), window, daypart_no, place_no, city_no, zone, started_s (UTC epoch
    seconds), here (struct of lat, lon, turn), topic_no, and planted (whether the topic is the planted one).
    """
    days = F.explode(F.sequence(F.lit(0), F.lit(options.days - 1)))
    windows = F.explode(F.lit(list(range(len(WINDOW_HOURS)))))
    slots = users.withColumn("day", days).where("day >= first_day").withColumn("window", windows)
    weekday = (F.lit(options.first_day + 3) + F.col("day")) % 7  # 1970-01-01 was a Thursday
    active = slots.withColumn("weekday", weekday).where(is_active(options, events_per_session))
    return about(located(active, options), options)


def is_active(options: WorldOptions, events_per_session: float) -> Column:
    """Whether the user has a session in the window: drawn from the hour's, the user's and the pair's liveliness."""
    weekend = (F.col("weekday") >= 5).cast("int")
    hour = F.get(entry(WINDOW_WEIGHTS, weekend), F.col("window"))
    habit = 0.4 + 1.2 * uniform(options.seed, "habit", "user_no", "window", weekend)
    present = 1 - NEWCOMERS / 2  # newcomers miss half of the days on average: the others make up for them
    rate = options.events_per_user_day / events_per_session / len(WINDOW_HOURS) / present
    return uniform(options.seed, "active", "user_no", "day", "window") < rate * hour * habit * F.col("activity")


def located(sessions: DataFrame, options: WorldOptions) -> DataFrame:
    """Add daypart_no, place_no, city_no, zone, here, and started_s."""
    weekend = F.col("weekday") >= 5
    away = F.col("away_city").isNotNull() & (F.col("weekday") - F.col("away_from")).between(0, 1)
    office = ~weekend & F.col("window").between(*OFFICE_WINDOWS)
    start_s = whole(uniform(options.seed, "start", "user_no", "day", "window"), START_S)
    local_s = (options.first_day + F.col("day")).cast("bigint") * DAY_S
    local_s = local_s + entry(WINDOW_HOURS, F.col("window")) * 3600 + start_s
    return (
        sessions.withColumn("session_no", F.col("day") * len(WINDOW_HOURS) + F.col("window"))
        .withColumn("daypart_no", F.get(entry(WINDOW_DAYPARTS, weekend.cast("int")), F.col("window")))
        .withColumn("place_no", F.when(away, AWAY).when(office, WORK).otherwise(HOME))
        .withColumn("city_no", F.when(away, F.col("away_city")).otherwise(F.col("home_city")))
        .withColumn("zone", entry([city.zone for city in CITIES], F.col("city_no")))
        .withColumn("here", F.get("places", F.col("place_no")))
        .withColumn("started_s", F.unix_seconds(F.to_utc_timestamp(F.timestamp_seconds(local_s), F.col("zone"))))
    )


def about(sessions: DataFrame, options: WorldOptions) -> DataFrame:
    """Add topic_no and planted: on day d of D a drifting topic has gone over with probability d / (D - 1)."""
    keys = "user_no", "session_no"
    progress = F.col("day") / max(options.days - 1, 1)
    drifted = uniform(options.seed, "drifted", *keys) < progress
    wanted = planted_topic(options.seed, F.col("daypart_no"), F.col("place_no"), drifted)
    common = common_topic(uniform(options.seed, "common topic", *keys), F.col("daypart_no"))
    return sessions.withColumn("planted", uniform(options.seed, "planted", *keys) < PLANTED).withColumn(
        "topic_no", F.when(F.col("planted"), wanted).otherwise(common)
    )
