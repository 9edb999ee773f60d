"""Writes the Java classes that Spark loads into an archive, from which the JVMs of the tests start in half the time.

    python tests/class_archive.py

Every JVM of the tests takes the archive where it lies (`conftest.QUICK_JVM`), and does without where there is none or
where it is another Java's.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from conftest import CLASS_ARCHIVE  # its import gives the JVM the other options of the tests


def main() -> None:
    """Let a session do some of everything; its JVM writes the archive when it ends. Does nothing where there is one."""
    if CLASS_ARCHIVE.exists():
        return
    making = CLASS_ARCHIVE.with_suffix(f".{os.getpid()}")
    options = f"-XX:ArchiveClassesAtExit={making} -Xlog:disable"
    builder = SparkSession.builder.master("local[2]").config("spark.driver.extraJavaOptions", options)
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.log.level": "ERROR"}
    with tempfile.TemporaryDirectory() as name:
        spark = builder.config(map=settings).getOrCreate()
        some_of_everything(spark, name)
        jvm = spark.sparkContext._gateway.proc
        spark.stop()
    jvm.stdin.close()  # it ends with its Python
    jvm.wait()
    making.replace(CLASS_ARCHIVE)


def some_of_everything(spark: SparkSession, folder: str) -> None:
    """Read, join, aggregate, rank, call Python and write, as jobs do."""
    rows = spark.range(100).select("id", (F.col("id") % 7).alias("k"), F.col("id").cast("timestamp").alias("at"))
    for kind in ("parquet", "json", "csv"):
        rows.write.format(kind).save(f"{folder}/{kind}")
        spark.read.schema(rows.schema).format(kind).load(f"{folder}/{kind}").count()
    ranked = rows.withColumn("rank", F.row_number().over(Window.partitionBy("k").orderBy(F.desc("at"))))
    listed = ranked.groupBy("k").agg(F.collect_list("id").alias("ids"), F.sum("rank").alias("total"))
    joined = rows.join(listed, "k", "left").withColumn("first", F.expr("transform(ids, x -> x + 1)")[0])
    joined.mapInArrow(lambda batches: batches, joined.schema).unionByName(joined).orderBy("id").collect()
    joined.write.partitionBy("k").parquet(f"{folder}/joined")
    spark.read.parquet(f"{folder}/joined").where("k = 3").distinct().toPandas()


if __name__ == "__main__":
    main()
