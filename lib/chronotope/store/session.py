"""The Spark session, the same whether a job is started with `spark-submit` or with `python`."""

from __future__ import annotations

import logging
import os
import shlex
import sys
from pathlib import Path

from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from chronotope.errors import UsageError

# What the tables' correctness rests on; no properties file may change these.
PINNED = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # delta-rs reads no INT96
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}

# They print each failed expression with two Java stack traces and the names of the columns, before our own line that
# says what is wrong.
CONTEXT_LOGGERS = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")


def open_session(app_name: str, properties_file: Path) -> SparkSession:
    """The running session, or a new one with the properties file's settings.

    Under `spark-submit` a setting given there wins over the file, and with a cluster's master the file counts for
    nothing: what suits one machine may not even start there. Started with plain `python`, the file is handed to the JVM
    at its start, so that memory settings count too.

    Raises:
        UsageError: when the properties file cannot be read.
    """
    properties = read_properties(properties_file)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
    if "PYSPARK_GATEWAY_PORT" not in os.environ:  # not started by spark-submit
        os.environ["PYSPARK_SUBMIT_ARGS"] = f"--properties-file {shlex.quote(str(properties_file))} pyspark-shell"
    builder = SparkSession.builder.appName(app_name)
    given = given_properties()
    if is_cluster(given.get("spark.master", "local")):
        properties = {}
    for key, value in properties.items():
        if key not in given:
            builder = builder.config(key, value)
    for key, value in PINNED.items():
        builder = builder.config(key, value)
    session: SparkSession = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    for name in CONTEXT_LOGGERS:
        PySparkLogger.getLogger(name).setLevel(logging.CRITICAL)
    return session


def is_cluster(master: str) -> bool:
    """Whether executors run in processes of their own.

    >>> [is_cluster(master) for master in ("local", "local[*]", "yarn", "spark://host:7077", "local-cluster[2,1,1024]")]
    [False, False, True, True, True]
    """
    return master.split("[")[0] != "local"


def given_properties() -> dict[str, str]:
    """What `spark-submit` was given; empty without it.

    A `spark-submit` without `--master` fills in `local[*]` by itself: that is not a choice of the caller, so the
    properties file's master still counts.
    """
    if "PYSPARK_GATEWAY_PORT" not in os.environ:
        return {}
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()  # until the JVM is connected, a SparkConf is empty
    given = dict(SparkConf().getAll())
    if given.get("spark.master") == "local[*]":
        del given["spark.master"]
    return given


def read_properties(path: Path) -> dict[str, str]:
    """The keys and values of a Spark properties file; `#` starts a comment line.

    Raises:
        UsageError: when the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"cannot read the Spark properties file {path}: {error.strerror}") from error
    pairs = [line.split(None, 1) for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return {pair[0]: pair[1].strip() for pair in pairs if len(pair) == 2}
