"""What the users of the demo world are interested in: one topic per daypart and place, drifting to another."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.world.chance import cumulated, entry, pick_from, uniform
from chronotope.world.cities import NAMES
from chronotope.world.options import WorldOptions
from chronotope.world.users import AWAY, PLACES, WORK
from chronotope.world.vocabulary import DAYPARTS, TOPIC_NAMES, TOPICS, suitability

DRIFTERS = 0.5  # share of the users' contexts whose topic changes over the world's days
OWN_TASTE = 0.5  # how much of a planted topic is the user's own and not the daypart's: below 1, popularity finds some


def planted_topic(seed: int, daypart: Column, place: Column, drifted: Column) -> Column:
    """Index of the topic that a user (column `user_no`) wants in a daypart and place, before or after drifting.

    Drawn once per user, daypart and place: from everybody's taste in that daypart mixed with a taste of their own.
    """
    shares = entry([cumulated(mixed(daypart)) for daypart in range(len(DAYPARTS))], daypart)
    keys = F.col("user_no"), daypart, place
    drifts = drifted & (uniform(seed, "drifts", *keys) < DRIFTERS)
    chance = F.when(drifts, uniform(seed, "late topic", *keys)).otherwise(uniform(seed, "early topic", *keys))
    return pick_from(chance, shares)


def mixed(daypart: int) -> list[float]:
    """A daypart's topic weights, with the share OWN_TASTE spread evenly."""
    weights = suitability(daypart)
    return [(1 - OWN_TASTE) * weight / sum(weights) + OWN_TASTE / len(weights) for weight in weights]


def common_topic(chance: Column, daypart: Column) -> Column:
    """Index of a topic drawn from everybody's taste in a daypart."""
    return pick_from(chance, entry([cumulated(suitability(d)) for d in range(len(DAYPARTS))], daypart))


def words_of(topic: Column, language: Column) -> Column:
    """The words of a topic (index), in Chinese where the language is `zh`, else in English: an array."""
    chinese, english = entry([t.words_zh for t in TOPICS], topic), entry([t.words for t in TOPICS], topic)
    return F.split(F.when(language == "zh", chinese).otherwise(english), " ")


def topic_table(users: DataFrame, options: WorldOptions) -> DataFrame:
    """The planted interests: user, daypart, place (home, work or away), region, early_topic, late_topic.

    On day d of D the late topic is wanted with probability d / (D - 1), the early one else. Work has only weekday
    dayparts in office hours, away only weekdays; those who never travel have no rows for away.
    """
    daypart, place = F.col("daypart_no"), F.col("place_no")
    contexts = (
        users.withColumn("daypart_no", F.explode(F.lit(list(range(len(DAYPARTS))))))
        .withColumn("place_no", F.explode(F.lit(list(range(len(PLACES))))))
        .where((place != WORK) | daypart.between(1, 3))
        .where((place != AWAY) | ((daypart < 5) & F.col("away_city").isNotNull()))
    )
    city = F.when(place == AWAY, F.col("away_city")).otherwise(F.col("home_city"))
    early = planted_topic(options.seed, daypart, place, F.lit(False))
    late = planted_topic(options.seed, daypart, place, F.lit(True))
    return contexts.select(
        "user",
        entry(DAYPARTS, daypart).alias("daypart"),
        entry(PLACES, place).alias("place"),
        entry(NAMES, city).alias("region"),
        entry(TOPIC_NAMES, early).alias("early_topic"),
        entry(TOPIC_NAMES, late).alias("late_topic"),
    )
