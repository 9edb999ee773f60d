"""RePlay's metrics on Spark, all in one `OfflineMetrics`. Runs in the environment of the peers that run on Spark.

    python -m benchmarks.spark_peers.replay_metrics FOLDER CONF RUNS K [K ...]

FOLDER holds what `benchmarks.metrics` wrote, CONF is a Spark properties file. The last line printed is JSON: the
seconds of each run, the first of them a warm-up, and the value of each metric.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from replay.metrics import MAP, MRR, NDCG, Coverage, HitRate, OfflineMetrics, Precision, Recall

from benchmarks.spark_peers.run import properties


def main(folder: str, conf: str, runs: str, *ks: str) -> None:
    """Measure and print."""
    spark = SparkSession.builder.config(map=properties(Path(conf))).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    seconds = []
    for _ in range(int(runs)):
        started = time.perf_counter()
        values = one_run(spark, Path(folder), [int(k) for k in ks])
        seconds.append(time.perf_counter() - started)
        spark.catalog.clearCache()
    print(json.dumps({"seconds": seconds, "values": values}))


def one_run(spark: SparkSession, folder: Path, ks: Sequence[int]) -> dict[str, float]:
    """The metrics of the lists, read from their files."""
    lists, events, items = (spark.read.parquet(str(folder / name)) for name in ("recommendations", "events", "items"))
    query, item = F.col("user_id").alias("query_id"), F.col("item_id")
    shown = lists.select(query, item, (-F.col("rank")).cast("double").alias("rating"))
    everything = items.select(F.lit("").alias("query_id"), item)
    metrics = [metric(list(ks)) for metric in (HitRate, Precision, Recall, NDCG, MAP, MRR, Coverage)]
    found: dict[str, float] = OfflineMetrics(metrics)(shown, events.select(query, item), everything)
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
