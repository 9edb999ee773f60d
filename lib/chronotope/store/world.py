"""Writes a demo world: what is delivered (events by arrival day, a catalogue) and the truth behind it."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from chronotope.errors import UsageError
from chronotope.world.build import World
from chronotope.world.planted import count_arrivals, count_truth, summarise
from chronotope.world.records import make_lines

LOG = logging.getLogger(__name__)
MARK = "planted.json"  # written last: a world without it is not whole


def write_world(spark: SparkSession, world: World, folder: Path) -> dict[str, Any]:
    """Write a world into a new or empty folder, or over an older world, and return what `truth/planted.json` holds.

    events/day=YYYY-MM-DD/ has JSON lines, items/items.csv the catalogue, truth/records every record with what is
    behind it, truth/users, truth/topics and truth/favourites (Parquet) what was planted. The truth is written first
    and the lines are made from it, so that memory does not grow with the world and both come from one computation.

    Raises:
        UsageError: when the folder holds something else, or cannot be written.
    """
    prepare(folder)
    truth = folder / "truth"
    LOG.info("planting users, sessions and events")
    write_parquet(world.arrivals, truth / "records")
    arrivals = spark.read.parquet(str(truth / "records"))
    LOG.info("writing the log by arrival day")
    make_lines(arrivals).write.partitionBy("day").mode("overwrite").text(str(folder / "events"))
    LOG.info("writing the catalogue and the planted truth")
    write_catalogue(world.items, folder / "items")
    for name, frame in {"users": world.users, "topics": world.topics, "favourites": world.favourites}.items():
        write_parquet(frame, truth / name)
    found = count_truth(arrivals).collect()[0].asDict()
    planted = summarise(world.options, count_arrivals(arrivals).collect(), found)
    (truth / MARK).write_text(json.dumps(planted, indent=1) + "\n", encoding="utf-8")
    return planted


def prepare(folder: Path) -> None:
    """Make the folder, and take the mark off an older world in it.

    Raises:
        UsageError: as in `write_world`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = sorted(path.name for path in folder.iterdir() if path.name not in ("events", "items", "truth"))
        if strange:
            raise UsageError(
                f"{folder} holds {strange[0]!r}, which is no part of a world: give an empty folder to --out"
            )
        (folder / "truth" / MARK).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write a world into {folder}: {error.strerror}") from error


def write_parquet(frame: DataFrame, folder: Path) -> None:
    """The frame as Parquet files, in place of older ones."""
    frame.write.mode("overwrite").parquet(str(folder))


def write_catalogue(items: DataFrame, folder: Path) -> None:
    """The catalogue as one CSV file `items.csv` with a header; fields with commas or quotes are quoted.

    Spark writes a folder of parts: the only part is renamed.
    """
    writer = items.sort("item").coalesce(1).write.mode("overwrite").option("header", True).option("escape", '"')
    writer.csv(str(folder))
    next(folder.glob("part-*.csv")).rename(folder / "items.csv")
