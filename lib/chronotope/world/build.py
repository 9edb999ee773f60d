"""The demo world as frames, from its options alone."""

from __future__ import annotations

from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from chronotope.world.arrivals import make_arrivals
from chronotope.world.chance import entry
from chronotope.world.cities import NAMES
from chronotope.world.events import EVENTS_PER_SESSION, make_events
from chronotope.world.items import CATALOGUE, make_items
from chronotope.world.options import WorldOptions
from chronotope.world.sessions import make_sessions
from chronotope.world.topics import topic_table
from chronotope.world.users import make_users
from chronotope.world.visits import favourite_table, make_visits


@dataclass(frozen=True)
class World:
    """A demo world's frames, all lazy.

    arrivals: every record with the truth behind it (see `make_arrivals`). items: the catalogue as delivered. users:
    user, home_region, away_region, language, activity, first_day. topics, favourites: see `topic_table` and
    `favourite_table`.
    """

    options: WorldOptions
    arrivals: DataFrame
    items: DataFrame
    users: DataFrame
    topics: DataFrame
    favourites: DataFrame


def build_world(spark: SparkSession, options: WorldOptions) -> World:
    """The world of these options: the same rows whatever the partitions, cores and session settings."""
    users = make_users(spark, options)
    items = make_items(spark, options)
    sessions = make_sessions(users, options, EVENTS_PER_SESSION)
    events = make_events(make_visits(sessions, items, options), options)
    return World(
        options=options,
        arrivals=make_arrivals(events, options),
        items=items.select(*CATALOGUE),
        users=users.select(
            "user",
            entry(NAMES, F.col("home_city")).alias("home_region"),
            entry(NAMES, F.col("away_city")).alias("away_region"),
            "language",
            "activity",
            F.date_add(F.lit(options.start), F.col("first_day")).alias("first_day"),
        ),
        topics=topic_table(users, options),
        favourites=favourite_table(sessions, items, options),
    )
