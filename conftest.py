"""One lazily started Spark per run, scrubbed between tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent
# Its doctests would be collected by importing it, which only the oldest supported versions can.
collect_ignore = [] if find_spec("petastorm") else ["lib/chronotope/train/petastorm_loader.py"]
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
# Python workers import the checkout's package, not an installed copy.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "lib"), str(ROOT), os.environ.get("PYTHONPATH", "")])

# Tests run much code once: it is compiled fast and not well, and no collector's threads compete with the tests.
QUICK_JVM = "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC"
CLASS_ARCHIVE = Path(sys.prefix) / "spark-classes.jsa"  # see tests/class_archive.py
if CLASS_ARCHIVE.exists():
    QUICK_JVM += f" -XX:SharedArchiveFile={CLASS_ARCHIVE} -Xlog:disable -Xlog:all=error:stderr"
os.environ["JDK_JAVA_OPTIONS"] = QUICK_JVM  # of every JVM that a test starts

settings.register_profile(
    "quick", max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
settings.register_profile("deep", parent=settings.get_profile("quick"), max_examples=500)
settings.load_profile(os.environ.get("CHRONOTOPE_HYPOTHESIS", "quick"))


@pytest.fixture(scope="session")
def _spark_session(tmp_path_factory):
    from pyspark.sql import SparkSession

    from chronotope.store.session import PINNED

    scratch = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local[2]")
        .appName("chronotope-tests")
        .config("spark.ui.enabled", "false")  # tests side by side would fight for its port
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.default.parallelism", "2")
        .config("spark.python.daemon.module", "chronotope.store.python_daemon")
        .config("spark.driver.memory", "1g")
        .config("spark.python.sql.dataFrameDebugging.enabled", "false")  # call sites are a tenth of the time
        .config("spark.sql.warehouse.dir", str(scratch / "warehouse"))
        .config("spark.local.dir", str(scratch / "local"))
        .config("spark.driver.extraJavaOptions", f"-Duser.timezone=UTC -Dderby.system.home={scratch}")
        .config(map=PINNED)
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture
def spark(_spark_session) -> Iterator:
    yield _spark_session
    _spark_session.catalog.clearCache()


@pytest.fixture(autouse=True)
def _doctest_spark(request, doctest_namespace):
    """Give `spark` to the doctests that use it, and start no JVM for the others."""
    item = request.node
    source = getattr(getattr(item, "dtest", None), "examples", None) or []
    if any("spark" in example.source for example in source):
        doctest_namespace["spark"] = request.getfixturevalue("spark")


@pytest.fixture(scope="session")
def settings_file() -> Path:
    return ROOT / "conf" / "chronotope.yaml"


@pytest.fixture(scope="session")
def defaults(settings_file):
    """The shipped settings."""
    from chronotope.config import load_settings

    return load_settings(settings_file)
