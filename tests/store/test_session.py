"""The session is the same under `python` and under `spark-submit`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from chronotope.errors import UsageError
from chronotope.store.session import PINNED, read_properties

SUBMIT = str(Path(pyspark.__file__).parent / "bin" / "spark-submit")
JOB = """
import json, sys
from pathlib import Path
from pyspark.errors import AnalysisException
from chronotope.store.session import open_session
spark = open_session("probe", Path(sys.argv[1]))
conf = dict(spark.sparkContext.getConf().getAll())
conf |= {key: spark.conf.get(key) for key in sys.argv[2].split(",")}
conf["python of the workers"] = spark.sparkContext.parallelize([0], 1).map(lambda _: sys.executable).first()
try:
    spark.sql("select no_such_column from range(1)").collect()
except AnalysisException:
    print("it failed", file=sys.stderr)
Path(sys.argv[3]).write_text(json.dumps(conf))
spark.stop()
"""
# What a start of Spark decides for itself, and what only tells how it was started.
OWN = ("spark.app.id", "spark.app.startTime", "spark.app.submitTime", "spark.driver.port", "spark.driver.host",
       "spark.submit.", "spark.files", "spark.repl.", "spark.ui.showConsoleProgress", "spark.executor.id",
       "spark.sql.warehouse.dir")  # fmt: skip


@pytest.fixture(scope="module")
def sessions(tmp_path_factory):
    """The settings of a session begun in each of the two ways, from one properties file."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "job.py").write_text(JOB, encoding="utf-8")
    (folder / "spark.conf").write_text(
        "# two cores\nspark.master local[2]\nspark.driver.memory   600m\nspark.ui.enabled false\n"
        "spark.sql.shuffle.partitions 3\nspark.sql.session.timeZone Asia/Tokyo\n", encoding="utf-8")  # fmt: skip
    keys = ",".join([*PINNED, "spark.sql.shuffle.partitions"])
    found = {}
    for name, start in {
        "python": [sys.executable],
        "submit": [SUBMIT, "--properties-file", str(folder / "spark.conf")],
        "submit without the file": [SUBMIT, "--master", "local[1]", "--conf", "spark.sql.session.timeZone=Asia/Seoul"],
    }.items():
        out = folder / f"{name}.json"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYSPARK", "SPARK"))}
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        ended = subprocess.run([*start, str(folder / "job.py"), str(folder / "spark.conf"), keys, str(out)],
                       check=True, capture_output=True, text=True, env=environment, cwd=folder)  # fmt: skip
        found[name] = json.loads(out.read_text(encoding="utf-8")) | {"said": ended.stdout + ended.stderr}
    return found


def comparable(conf):
    return {key: value for key, value in conf.items() if not key.startswith((*OWN, "python of", "said"))}


def test_both_ways_give_the_same_settings(sessions):
    by_python, submitted = comparable(sessions["python"]), comparable(sessions["submit"])
    assert submitted == by_python
    assert submitted["spark.master"] == "local[2]"
    assert submitted["spark.driver.memory"] == "600m"


def test_the_workers_run_the_python_of_the_environment(sessions):
    # By its folder: spark-submit calls the same interpreter python3.
    folders = {Path(conf["python of the workers"]).parent for conf in sessions.values()}
    assert folders == {Path(sys.executable).parent}


def test_an_expression_that_fails_is_told_by_its_exception_alone(sessions):
    for conf in sessions.values():
        assert "it failed" in conf["said"]
        assert "no_such_column" not in conf["said"]


def test_no_properties_file_moves_what_the_tables_rest_on(sessions):
    for conf in sessions.values():
        assert {key: conf[key] for key in PINNED} == PINNED


def test_what_spark_submit_was_given_wins_over_the_file(sessions):
    conf = sessions["submit without the file"]
    assert conf["spark.master"] == "local[1]"
    assert conf["spark.sql.shuffle.partitions"] == "3"  # not given: the file's


def test_a_properties_file_is_read_as_spark_reads_it(tmp_path):
    file = tmp_path / "spark.conf"
    file.write_text("# comment\n\n  spark.a   1 and 2  \nspark.b\ttrue\nspark.alone\n", encoding="utf-8")
    assert read_properties(file) == {"spark.a": "1 and 2", "spark.b": "true"}


def test_a_missing_properties_file_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"cannot read the Spark properties file .*none.conf: No such file"):
        read_properties(tmp_path / "none.conf")
