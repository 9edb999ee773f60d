"""What happens in a session of the demo world: items, met one after the other, favourites before others."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.world.chance import entry, pick, uniform, whole
from chronotope.world.cities import ONLINE
from chronotope.world.options import WorldOptions
from chronotope.world.users import PLACES
from chronotope.world.vocabulary import TOPICS

VISITS = [0.5, 0.3, 0.2]  # share of the sessions with 1, 2 and 3 items
NEXT_ON_SHELF = 0.6  # share of later visits that go to the item after the first one
FAVOURITE = 0.7  # share of the other visits that go to one of the user's favourites
FAVOURITES = [0.6, 0.3, 0.1]  # how often each of the three is chosen
NEARNESS = 0.15  # how far from the user's own direction favourites are, as a share of a full turn
SHELF_KEYS = ("city_no", "topic_no", "rank")


def make_visits(sessions: DataFrame, items: DataFrame, options: WorldOptions) -> DataFrame:
    """One row per session and item met there: the columns of both, `visit` (from 0) and `favourite`."""
    seed = options.seed
    count = pick(uniform(seed, "visits", "user_no", "session_no"), VISITS)
    online = entry([topic.online for topic in TOPICS], F.col("topic_no"))
    shelf = items.select(
        *SHELF_KEYS, "item_no", "item", "price", F.col("lat").alias("item_lat"), F.col("lon").alias("item_lon")
    )
    visits = (
        sessions.withColumnRenamed("city_no", "region_no")
        .withColumn("city_no", F.when(online, ONLINE).otherwise(F.col("region_no")))
        .join(F.broadcast(shelf_sizes(items)), ["city_no", "topic_no"])
        .withColumn("visit", F.explode(F.sequence(F.lit(0), count)))
    )
    return with_rank(visits, seed).join(F.broadcast(shelf), list(SHELF_KEYS))


def shelf_sizes(items: DataFrame) -> DataFrame:
    """How many items each shelf (city_no, topic_no) has: shelf_size."""
    return items.groupBy("city_no", "topic_no").agg(F.count(F.lit(1)).cast("int").alias("shelf_size"))


def with_rank(visits: DataFrame, seed: int) -> DataFrame:
    """Add the rank of the item on its shelf, and whether it is a favourite."""
    keys = "user_no", "session_no", "visit"
    moves_on = (F.col("visit") > 0) & (uniform(seed, "next", *keys) < NEXT_ON_SHELF)
    # A visit that moves on is told from the session's first visit alone, so that no row needs another.
    origin = F.when(moves_on, 0).otherwise(F.col("visit"))
    choice = "user_no", "session_no", "origin"
    which = pick(uniform(seed, "which favourite", *choice), FAVOURITES)
    explored = whole(F.pow(uniform(seed, "explored", *choice), 2), F.col("shelf_size"))
    return (
        visits.withColumn("origin", origin)
        .withColumn("loyal", uniform(seed, "loyal", *choice) < FAVOURITE)
        .withColumn("base", F.when(F.col("loyal"), favourite_rank(seed, which)).otherwise(explored))
        .withColumn("rank", ((F.col("base") + F.col("visit") - F.col("origin")) % F.col("shelf_size")).cast("int"))
        .withColumn("favourite", F.col("loyal") & ~moves_on)
        .drop("origin", "loyal", "base")
    )


def favourite_rank(seed: int, which: Column) -> Column:
    """The rank of a user's first, second or third (`which` 0, 1, 2) favourite on a shelf, at home, work or away.

    Near the user's direction from the centre; among online items, anywhere.
    """
    luck = uniform(seed, "favourite", "user_no", "place_no", "topic_no", which)
    turn = F.col("here.turn") + (luck - 0.5) * 2 * NEARNESS
    near = F.pmod(F.floor(turn * F.col("shelf_size")), F.col("shelf_size")).cast("int")
    return F.when(F.col("city_no") == ONLINE, whole(luck, F.col("shelf_size"))).otherwise(near)


def favourite_table(sessions: DataFrame, items: DataFrame, options: WorldOptions) -> DataFrame:
    """The favourites that matter: user, place, topic, which (0 is the dearest), item; for topics planted and met."""
    online = entry([topic.online for topic in TOPICS], F.col("topic_no"))
    shelf = items.select(*SHELF_KEYS, "item", F.col("category").alias("topic"))
    city = F.when(online, ONLINE).otherwise(F.col("city_no"))
    met = sessions.where("planted").withColumn("city_no", city)
    return (
        met.select("user", "user_no", "place_no", "here", "city_no", "topic_no")
        .dropDuplicates(["user_no", "place_no", "topic_no"])
        .join(F.broadcast(shelf_sizes(items)), ["city_no", "topic_no"])
        .withColumn("which", F.explode(F.lit(list(range(len(FAVOURITES))))))
        .withColumn("rank", favourite_rank(options.seed, F.col("which")))
        .join(F.broadcast(shelf), list(SHELF_KEYS))
        .select("user", entry(PLACES, F.col("place_no")).alias("place"), "topic", "which", "item")
    )
