"""Parquet files as Spark frames, and the rows that stand for a table as of a night."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from chronotope.tables import Table

Frames = dict[str, DataFrame]  # by table


def read_files(spark: SparkSession, table: Table, base: Path, paths: Sequence[Path]) -> DataFrame:
    """The rows of files below `base/night=D/`; an empty frame of the table's schema when there are none."""
    schema = table.schema()
    if not paths:
        return spark.createDataFrame([], schema)
    reader = spark.read.schema(schema).option("basePath", str(base))
    return reader.parquet(*[str(path) for path in paths]).select(*table.names)


def union(frames: Iterable[DataFrame]) -> DataFrame:
    """The rows of one or more frames of the same columns."""
    first, *others = list(frames)
    for other in others:
        first = first.unionByName(other)
    return first


def only(rows: DataFrame, users: DataFrame | None) -> DataFrame:
    """The rows of the users in a frame; all rows where that is None."""
    return rows if users is None else rows.join(users.select("user_id").distinct(), "user_id", "left_semi")


def current(table: Table, rows: DataFrame) -> DataFrame:
    """The rows that stand for a table, of rows of several nights that may."""
    if table.current == "latest_per_key":
        return latest_per_key(table, rows)
    if table.current == "latest_per_user":
        newest = Window.partitionBy("user_id").orderBy(F.desc("night"))
        return rows.withColumn("_place", F.rank().over(newest)).where(F.col("_place") == 1).drop("_place")
    return rows


def latest_per_key(table: Table, rows: DataFrame) -> DataFrame:
    """The row of the latest night for each key; rows of one night are assumed to have distinct keys."""
    newest = Window.partitionBy(*[F.col(c) for c in table.key if c != "night"]).orderBy(F.desc("night"))
    numbered = rows.withColumn("_place", F.row_number().over(newest))
    return numbered.where(F.col("_place") == 1).drop("_place")
