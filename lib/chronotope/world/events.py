"""What users of the demo world do with an item: search, view, click, cart, buy and rate, in this order."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.world.chance import entry, pick, uniform, whole
from chronotope.world.cities import NAMES
from chronotope.world.options import WorldOptions
from chronotope.world.sessions import DAY_S
from chronotope.world.topics import words_of
from chronotope.world.users import PLACES
from chronotope.world.visits import VISITS
from chronotope.world.vocabulary import DAYPARTS, TOPIC_NAMES

FUNNEL = ["view", "click", "cart", "buy", "rate"]
DEPTHS = [0.45, 0.3, 0.1, 0.09, 0.06]  # share of the visits that end after each action of the funnel
SEARCHES = 0.3  # share of the sessions that begin with a search
VISIT_S, ACTION_S, JITTER_S = 13 * 60, 100, 60  # seconds between visits, between actions, and of chance
NO_POSITION = 0.05  # share of the events whose device tells no coordinates
STEP_KEYS = ("user_no", "session_no", "visit", "step")  # what tells events apart

_visits_per_session = sum((number + 1) * share for number, share in enumerate(VISITS))
_actions_per_visit = sum((number + 1) * share for number, share in enumerate(DEPTHS))
EVENTS_PER_SESSION = SEARCHES + _visits_per_session * _actions_per_visit


def make_events(visits: DataFrame, options: WorldOptions) -> DataFrame:
    """One row per event that happens between the first and the last day (UTC) of the world, as it truly was.

    Columns: event_id, user, item (null for a search), action, occurred_s (UTC epoch seconds), utc_offset_min, lat,
    lon, city, value, query, day (of occurrence, UTC, since 1970-01-01); and what is behind it: session, topic,
    daypart, place, planted, favourite.
    """
    steps = with_steps(visits, options.seed)
    happened = steps.withColumn("occurred_s", occurred_s(options.seed)).withColumn(
        "day", F.floor(F.col("occurred_s") / DAY_S).cast("int")
    )
    inside = happened.where(F.col("day").between(options.first_day, options.first_day + options.days - 1))
    return told(inside, options.seed)


def with_steps(visits: DataFrame, seed: int) -> DataFrame:
    """Add step (0 is a search, 1 to 5 the funnel) and action: one row for each."""
    depth = pick(uniform(seed, "depth", "user_no", "session_no", "visit"), DEPTHS) + 1
    searches = (F.col("visit") == 0) & (uniform(seed, "searches", "user_no", "session_no") < SEARCHES)
    first = F.when(searches, 0).otherwise(1)
    return visits.withColumn("step", F.explode(F.sequence(first, depth))).withColumn(
        "action", entry(["search", *FUNNEL], F.col("step"))
    )


def occurred_s(seed: int) -> Column:
    """When a step happens: seconds since 1970 UTC, 40 minutes after the session's start at most."""
    jitter = whole(uniform(seed, "jitter", *STEP_KEYS), JITTER_S)
    return F.col("started_s") + F.col("visit") * VISIT_S + F.col("step") * ACTION_S + jitter


def told(events: DataFrame, seed: int) -> DataFrame:
    """The event's own columns: id, place, value and query, and the truth behind it."""
    searched = F.col("action") == "search"
    silent = uniform(seed, "no position", *STEP_KEYS) < NO_POSITION
    local = F.from_utc_timestamp(F.timestamp_seconds("occurred_s"), F.col("zone"))
    key = F.xxhash64(F.lit(seed), F.lit("event"), *[F.col(name).cast("bigint") for name in STEP_KEYS])
    return events.select(
        F.lower(F.lpad(F.hex(key), 16, "0")).alias("event_id"),
        "user",
        F.when(~searched, F.col("item")).alias("item"),
        "action",
        "occurred_s",
        ((F.unix_seconds(local) - F.col("occurred_s")) / 60).cast("int").alias("utc_offset_min"),
        F.when(~silent, F.coalesce("item_lat", "here.lat")).alias("lat"),
        F.when(~silent, F.coalesce("item_lon", "here.lon")).alias("lon"),
        entry(NAMES, F.col("region_no")).alias("city"),
        value(seed).alias("value"),
        F.when(searched, query(seed)).alias("query"),
        "day",
        F.concat_ws(":", "user", "session_no").alias("session"),
        entry(TOPIC_NAMES, F.col("topic_no")).alias("topic"),
        entry(DAYPARTS, F.col("daypart_no")).alias("daypart"),
        entry(PLACES, F.col("place_no")).alias("place"),
        "planted",
        (F.col("favourite") & ~searched).alias("favourite"),
    )


def value(seed: int) -> Column:
    """The price of what is bought; stars from 1 to 5 of what is rated, favourites rated 4 or 5; else null."""
    chance = uniform(seed, "stars", *STEP_KEYS)
    stars = F.when(F.col("favourite"), 4 + whole(chance, 2)).otherwise(1 + whole(chance, 5))
    return F.when(F.col("action") == "buy", F.col("price")).when(F.col("action") == "rate", stars.cast("double"))


def query(seed: int) -> Column:
    """Two words of the topic in the user's language."""
    words = words_of(F.col("topic_no"), F.col("language"))
    chosen = [whole(uniform(seed, name, "user_no", "session_no"), F.size(words)) for name in ("first", "second")]
    return F.concat_ws(" ", *[F.get(words, place) for place in chosen])
