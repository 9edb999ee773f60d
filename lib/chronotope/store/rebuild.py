"""A rebuild: a night made from the whole log in one pass, with the IDF, the models and the calendar of other nights."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.errors import StoreError
from chronotope.slots import end_of
from chronotope.store.frames import current, only, read_files
from chronotope.store.night import Night
from chronotope.store.snapshot import Snapshot
from chronotope.tables import TABLES


def read_like(night: Night, name: str) -> DataFrame:
    """What the latest refresh of the nights that are rebuilt wrote into a table, under this night.

    Raises:
        StoreError: when the night is no rebuild.
    """
    like = rebuilt(night)
    paths = like.paths(name).get(like.refreshed_on or night.date, [])
    return read_files(night.spark, TABLES[name], like.tables_dir / name, paths).withColumn("night", F.lit(night.date))


def model_folder_like(night: Night) -> Path:
    """The model of the nights that are rebuilt.

    Raises:
        StoreError: when the night is no rebuild.
    """
    return rebuilt(night).model_folder


def made_for(night: Night, users: DataFrame) -> Iterator[tuple[dt.datetime, DataFrame, bool]]:
    """For which moments lists are made: the moment, the rows of the users concerned, and whether it is a refresh's.

    That is the night's end, and everybody. In a rebuild, each user's lists are made for the end of the last night that
    met them, as those nights did: a pass for each night since the refresh.
    """
    if night.like is None:
        yield night.end, users, night.is_refresh
        return
    table, standing = TABLES["histories"], night.like.standing(TABLES["histories"])
    paths = [path for paths in standing.values() for path in paths]
    last = current(table, read_files(night.spark, table, night.like.tables_dir / table.name, paths))
    for of in standing:
        met = only(users, last.where(F.col("night") == F.lit(of)))
        yield end_of(of, night.settings.night.time_zone), met, of == night.like.refreshed_on


def rebuilt(night: Night) -> Snapshot:
    """The nights that are rebuilt.

    Raises:
        StoreError: when the night is no rebuild.
    """
    if night.like is None:
        raise StoreError(f"night {night.date} is no rebuild")
    return night.like
