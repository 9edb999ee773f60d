from __future__ import annotations

import datetime as dt

import pytest
from pyspark.sql import functions as F

from chronotope.world import users
from chronotope.world.build import build_world
from chronotope.world.records import make_lines
from tests.world.sizes import sized

FRAMES = ("arrivals", "items", "users", "topics", "favourites")


@pytest.fixture
def conf(spark):
    """Session settings to change, set back after the test."""
    names = ("spark.sql.shuffle.partitions", "spark.sql.session.timeZone")
    before = {name: spark.conf.get(name) for name in names}
    yield spark.conf
    for name, value in before.items():
        spark.conf.set(name, value)


def rows(frame):
    return sorted(map(repr, frame.collect()))


def test_partitions_and_the_session_time_zone_do_not_matter(spark, conf, monkeypatch):
    worlds = []
    for tasks, partitions, zone in ((2, 1, "UTC"), (3, 3, "America/New_York")):
        monkeypatch.setattr(users, "USERS_PER_TASK", 12 // tasks)
        conf.set("spark.sql.shuffle.partitions", partitions)
        conf.set("spark.sql.session.timeZone", zone)
        world = build_world(spark, sized())
        assert world.arrivals.select(F.spark_partition_id()).distinct().count() == tasks
        worlds.append([rows(getattr(world, name)) for name in FRAMES] + [rows(make_lines(world.arrivals))])
    assert worlds[0] == worlds[1]
    assert all(worlds[0])


def test_another_seed_is_another_world(spark):
    first, second = (build_world(spark, sized(seed=seed)).arrivals for seed in (7, 8))
    ids = [{row.event_id for row in world.select("event_id").collect()} for world in (first, second)]
    assert min(map(len, ids)) > 50
    assert not ids[0] & ids[1]


def test_more_users_and_days_leave_the_first_ones_as_they_were(spark):
    """Users do not depend on each other, nor on later days; only drift, which is stretched over the days, does."""
    small = build_world(spark, sized(users=6))
    large = build_world(spark, sized(users=12))
    of_six = large.arrivals.where("user <= 'u0000005'")
    assert rows(of_six) == rows(small.arrivals)


def test_the_number_of_events_follows_the_sizes(spark):
    options = {"users": 300, "days": 10, "start": dt.date(2026, 3, 2)}
    counts = [
        build_world(spark, sized(**(options | {"events_per_user_day": rate}))).arrivals.where("copy = 1").count()
        for rate in (2.0, 6.0)
    ]
    # Users differ in how lively they are (standard deviation 0.67), and newcomers miss days: 300 give 5 % or so.
    assert counts[0] == pytest.approx(2 * 300 * 10, rel=0.2)
    assert counts[1] == pytest.approx(3 * counts[0], rel=0.1)
