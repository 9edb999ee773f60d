"""Lists of Spark's ALS and of RePlay's, from the interactions of a folder. Runs in the environment of the Spark peers.

    python -m benchmarks.spark_peers.als_lists FOLDER CONF RUNS spark|replay K FACTORS

FOLDER holds what `benchmarks.list_peers` wrote, CONF is a Spark properties file. `spark` is `recommendForAllUsers`,
which knows no items to be hidden; `replay` is the `predict` of RePlay's ALSWrap, which hides those seen. Both write
their lists to Parquet. One iteration of training, which is not timed, for more would change no cost. The last line
printed is JSON: the seconds of each run, the first of them a warm-up, and the number of lists.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pyspark.ml.recommendation import ALS
from pyspark.sql import DataFrame, SparkSession

from benchmarks.spark_peers.run import properties


def main(folder: str, conf: str, runs: str, peer: str, k: str, factors: str) -> None:
    """Measure and print."""
    spark = SparkSession.builder.config(map=properties(Path(conf))).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    seen = spark.read.parquet(str(Path(folder) / "interactions.parquet"))
    recommend = {"spark": of_spark, "replay": of_replay}[peer](seen, int(k), int(factors))
    seconds, out = [], str(Path(folder) / f"lists_{peer}")
    for _ in range(int(runs)):
        started = time.perf_counter()
        recommend().write.mode("overwrite").parquet(out)
        seconds.append(time.perf_counter() - started)
    lists = spark.read.parquet(out).select("user_id").distinct().count()
    print(json.dumps({"seconds": seconds, "lists": lists}))


def of_spark(seen: DataFrame, k: int, factors: int) -> Callable[[], DataFrame]:
    """Spark's own lists, one row per user."""
    als = ALS(rank=factors, maxIter=1, implicitPrefs=True, userCol="user_id", itemCol="item_id", ratingCol="n")
    model = als.fit(seen)
    model.userFactors.cache().count(), model.itemFactors.cache().count()
    return lambda: model.recommendForAllUsers(k)


def of_replay(seen: DataFrame, k: int, factors: int) -> Callable[[], DataFrame]:
    """RePlay's lists, one row per user and item."""
    from replay.data import Dataset, FeatureHint, FeatureInfo, FeatureSchema, FeatureType
    from replay.models import ALSWrap

    schema = FeatureSchema(
        [
            FeatureInfo("user_id", FeatureType.CATEGORICAL, FeatureHint.QUERY_ID),
            FeatureInfo("item_id", FeatureType.CATEGORICAL, FeatureHint.ITEM_ID),
            FeatureInfo("n", FeatureType.NUMERICAL, FeatureHint.RATING),
        ]
    )
    dataset = Dataset(schema, seen.cache(), categorical_encoded=True)
    model = ALSWrap(rank=factors)
    model.fit(dataset)
    return lambda: model.predict(dataset, k=k, filter_seen_items=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
