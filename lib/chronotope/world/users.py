"""Who lives in the demo world: where they live and work, where they travel, how lively they are."""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from chronotope.world.chance import entry, pick, uniform, whole
from chronotope.world.cities import CITIES, PARTNERS, SHANGHAI, around
from chronotope.world.options import WorldOptions

PLACES = ("home", "work", "away")
HOME, WORK, AWAY = range(len(PLACES))
TRAVELLERS = 0.4  # share of users who spend two weekdays of each week in another city
USERS_PER_TASK = 2_000  # half a million events in 60 days: tasks stay small however large the world is
NEWCOMERS = 0.15  # share of users whose first day is not the world's first
CHINESE = 0.05, 0.9  # share of users who search in Chinese: elsewhere, and in Shanghai


def make_users(spark: SparkSession, options: WorldOptions) -> DataFrame:
    """One row per user.

    Columns: user_no, user, home_city and away_city (indices of CITIES; away_city null for those who stay), away_from
    (first of the two weekdays away, Monday is 0), language, activity (mean 1), first_day (since the start), and
    `places`: an array by place index of (lat, lon, turn).
    """
    tasks = max(spark.sparkContext.defaultParallelism, math.ceil(options.users / USERS_PER_TASK))
    users = spark.range(0, options.users, 1, tasks).withColumnRenamed("id", "user_no")

    def chance(name: str) -> Column:
        return uniform(options.seed, name, "user_no")

    city = pick(chance("home city"), [city.weight for city in CITIES])
    chinese = F.when(F.col("home_city") == SHANGHAI, CHINESE[1]).otherwise(CHINESE[0])
    late = whole(F.greatest(F.lit(0.0), chance("newcomer") - (1 - NEWCOMERS)) / NEWCOMERS, options.days)
    return (
        users.withColumn("user", F.format_string("u%07d", "user_no"))
        .withColumn("home_city", city)
        .withColumn("away_city", F.when(chance("traveller") < TRAVELLERS, entry(PARTNERS, F.col("home_city"))))
        .withColumn("away_from", whole(chance("away from"), 4))
        .withColumn("language", F.when(chance("language") < chinese, "zh").otherwise("en"))
        .withColumn("activity", 0.25 + 2.25 * F.pow(chance("activity"), 2))
        .withColumn("first_day", late)
        .withColumn("places", F.array(*[place_of(options.seed, place) for place in range(len(PLACES))]))
    )


def place_of(seed: int, place: int) -> Column:
    """Where a user's place is: homes are 1 to 6 km from the centre, work and lodgings within 3 km.

    The result is a struct of lat, lon and turn (direction from the centre as a share of a full turn); null
    coordinates for those who never travel.
    """
    turn = uniform(seed, f"{PLACES[place]} turn", "user_no")
    spread = uniform(seed, f"{PLACES[place]} radius", "user_no")
    radius_km = 1 + 5 * spread if place == HOME else 0.3 + 2.7 * spread
    city = F.col("away_city" if place == AWAY else "home_city")
    lat, lon = around(entry([c.lat for c in CITIES], city), entry([c.lon for c in CITIES], city), turn, radius_km)
    return F.struct(lat.alias("lat"), lon.alias("lon"), turn.alias("turn"))
