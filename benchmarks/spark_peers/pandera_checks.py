"""pandera's PySpark checks of the rules of stage ingest. Runs in the environment of the peers that run on Spark.

    python -m benchmarks.spark_peers.pandera_checks FOLDER CONF RUNS

FOLDER holds the records that `benchmarks.validation` wrote, CONF is a Spark properties file. Checks, drops copies and
writes the events, each time from the files on. The last line printed is JSON: the seconds of each run, the first of
them a warm-up, and the checks that failed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pandera.pyspark as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BooleanType, DoubleType, IntegerType, StringType, TimestampType

from benchmarks.spark_peers.run import properties

ACTIONS = ["view", "search", "click", "cart", "buy", "rate", "checkin"]  # ingest.actions
SCHEMA = pa.DataFrameSchema(
    {
        "user_id": pa.Column(StringType(), nullable=False),
        "action": pa.Column(StringType(), pa.Check.isin(ACTIONS), nullable=True),
        "occurred_at": pa.Column(TimestampType(), nullable=False),
        "utc_offset_min": pa.Column(IntegerType(), nullable=False),
        "lat": pa.Column(DoubleType(), pa.Check.in_range(-90, 90), nullable=True),
        "lon": pa.Column(DoubleType(), pa.Check.in_range(-180, 180), nullable=True),
        "value": pa.Column(DoubleType(), pa.Check.in_range(-sys.float_info.max, sys.float_info.max), nullable=True),
        "about_nothing": pa.Column(BooleanType(), pa.Check.equal_to(False), nullable=False),
        "malformed": pa.Column(BooleanType(), pa.Check.equal_to(False), nullable=False),
        "late": pa.Column(BooleanType(), pa.Check.equal_to(False), nullable=True),
        "after_night": pa.Column(BooleanType(), pa.Check.equal_to(False), nullable=True),
    },
    unique=["event_id"],
)


def main(folder: str, conf: str, runs: str) -> None:
    """Measure and print."""
    spark = SparkSession.builder.config(map=properties(Path(conf))).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    seconds = []
    for _ in range(int(runs)):
        started = time.perf_counter()
        failed = one_run(spark, Path(folder))
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds, "failed": failed}))


def one_run(spark: SparkSession, folder: Path) -> int:
    """Check, drop copies and write; how many checks failed."""
    records = spark.read.parquet(str(folder / "records"))
    day_end = F.col("arrival_day").cast("timestamp") + F.expr("INTERVAL 1 DAY")
    typed = records.withColumns(
        {
            **{name: F.col(name).try_cast("double") for name in ("lat", "lon", "value")},
            "about_nothing": F.col("item_id").isNull() & F.col("query").isNull(),
            "after_night": F.col("occurred_at") >= day_end,
            "late": F.col("occurred_at") < day_end - F.expr("INTERVAL 3 DAYS"),
        }
    )
    checked = SCHEMA.validate(typed)
    checked.dropDuplicates(["event_id"]).write.mode("overwrite").parquet(str(folder / "checked"))
    return sum(len(errors) for kind in checked.pandera.errors.values() for errors in kind.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
