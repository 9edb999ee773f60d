"""Claim: publishing a table of 10 million rows, its commit takes under 2 % of the time of writing it.

    python -m benchmarks.commit

Writes made-up rows of table `counts` as a stage does (`Night.write`: Parquet by Spark, footers measured), then commits
them as publishing does (`store.delta.replace_night`: one commit, read back). Several rounds, each another night of the
same table; prints the medians and their ratio, kept in benchmarks/results/commit.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import tempfile
import time
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.report import ROOT, report
from benchmarks.session import session
from chronotope.config import Settings, load_settings
from chronotope.store import delta
from chronotope.store.lock import exclusive
from chronotope.store.night import open_night
from chronotope.tables import TABLES

LIMIT = 0.02
FIRST = dt.date(2026, 1, 1)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    settings = load_settings(ROOT / "conf" / "chronotope.yaml")
    with tempfile.TemporaryDirectory() as name:
        spark = session("commit benchmark", Path(name))
        tables = Path(name) / "tables"
        with exclusive(tables):
            runs = [one_night(spark, tables, settings, options.rows, day) for day in range(options.runs + 1)][1:]
    write_s, commit_s = (statistics.median(run[place] for run in runs) for place in (0, 1))
    figures = {
        "claim": f"commit under {LIMIT:.0%} of the write of {options.rows:,} rows",
        "write_seconds": round(write_s, 2),
        "commit_seconds": round(commit_s, 3),
        "ratio": round(commit_s / write_s, 4),
        "options": vars(options),
    }
    report("commit", figures)


def one_night(spark: SparkSession, tables: Path, settings: Settings, n_rows: int, day: int) -> tuple[float, float]:
    """Seconds of writing and of committing one night's rows; the first round warms up."""
    night = open_night(spark, tables, FIRST + dt.timedelta(day), settings)
    started = time.perf_counter()
    night.write("counts", rows_of(spark, n_rows, night.date))
    written = time.perf_counter()
    staged = night.staging["counts"]
    delta.replace_night(TABLES["counts"], tables / "counts", night.date, staged.attempt, staged.files)
    committed = time.perf_counter()
    print(f"write {written - started:.1f} s, commit {committed - written:.3f} s", flush=True)
    return written - started, committed - written


def rows_of(spark: SparkSession, n_rows: int, night: dt.date) -> DataFrame:
    """Made-up rows of table `counts`."""
    n = F.col("id")
    return spark.range(n_rows).select(
        F.concat(F.lit("s:u"), (n % 100_003).cast("string")).alias("user_id"),
        F.concat(F.lit("s:i"), (n % 5_003).cast("string")).alias("item_id"),
        F.lit("weekday_morning").alias("daypart"),
        F.lit("Paris").alias("region"),
        (n % 7 + 1).alias("n"),
        F.rand(1).alias("weight"),
        F.rand(2).alias("decayed"),
        F.lit(0).cast("bigint").alias("hiding"),
        F.timestamp_seconds(n + 1_700_000_000).alias("last_at"),
        F.lit(night).alias("night"),
    )


if __name__ == "__main__":
    main()
