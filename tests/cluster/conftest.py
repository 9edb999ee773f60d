"""Real clusters on one machine, and nights on them whose executors know the code by `--py-files` alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyspark
import pytest

from tests.conftest import ROOT
from tests.nights.conftest import nights as nights
from tests.nights.processes import Process, members, words_of

SPARK = Path(pyspark.__file__).parent
SMALL_JVM = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# What fits two executors on a small machine; everything else is as in conf/spark/cluster.conf.
SMALL = {
    "spark.executor.instances": "2",
    "spark.executor.cores": "1",
    "spark.executor.memory": "700m",
    "spark.driver.memory": "900m",
    "spark.sql.shuffle.partitions": "4",
    "spark.ui.enabled": "false",
    "spark.executor.extraJavaOptions": SMALL_JVM,
    "spark.driver.extraJavaOptions": SMALL_JVM,
}


@dataclass(frozen=True)
class Cluster:
    """A master, what executors run, and the workers in whose sessions they live (none: in the driver's)."""

    master: str
    archive: Path
    python: Path
    workers: tuple[Process, ...] = ()

    def submit(self, output: Path, *command: str) -> Process:
        """A program of the checkout as `spark-submit` runs it, under the bundled code."""
        conf = {**SMALL, "spark.pyspark.python": str(self.python), "spark.pyspark.driver.python": str(self.python)}
        options = [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]
        return Process(
            [str(SPARK / "bin" / "spark-submit"), "--master", self.master, "--py-files", str(self.archive),
             "--properties-file", str(ROOT / "conf" / "spark" / "cluster.conf"), *options, *command],
            output, environment(),
        )  # fmt: skip

    def executors(self, process: Process) -> list[int]:
        """The executors' JVMs."""
        found = [pid for of in self.workers or (process,) for pid in members(of.pid)]
        return [pid for pid in found if "CoarseGrainedExecutorBackend --driver-url" in words_of(pid)]


def environment() -> dict[str, str]:
    """An environment that leads nowhere near the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYSPARK", "SPARK"))}
    return {**kept, "SPARK_HOME": str(SPARK), "SPARK_LOCAL_IP": "127.0.0.1"}


@pytest.fixture(scope="session")
def code(tmp_path_factory) -> Path:
    """What scripts/bundle makes for `--py-files`."""
    archive = tmp_path_factory.mktemp("dist") / "chronotope.zip"
    subprocess.run([sys.executable, str(ROOT / "scripts" / "bundle_code.py"), str(archive)], check=True)
    return archive


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory) -> Path:
    """The Python of an environment that has every dependency and not the project.

    It stands for the unpacked environment.tar.gz, whose packing takes minutes: a path file leads to the packages, and
    path files that lie there, such as that of the editable checkout, are not followed.
    """
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
    python = folder / "bin" / "python"
    absent = subprocess.run([str(python), "-c", "import pyspark; import chronotope"], env=environment(), cwd=folder,
                            capture_output=True, text=True)  # fmt: skip
    assert "No module named 'chronotope'" in absent.stderr
    return python


@pytest.fixture(scope="session")
def standalone(code, bare_python, tmp_path_factory) -> Iterator[Cluster]:
    """A master and two workers of one core each, in processes of their own."""
    folder = tmp_path_factory.mktemp("standalone")
    started: list[Process] = []

    def spark_class(name: str, *words: str) -> Process:
        settings = {**environment(), "SPARK_DAEMON_MEMORY": "200m", "SPARK_DAEMON_JAVA_OPTS": SMALL_JVM}
        command = [str(SPARK / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}", *words]
        started.append(Process(command, folder / f"{len(started)}.said", settings))
        return started[-1]

    try:
        master = spark_class("master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        address = master.wait_for(lambda: re.search(r"spark://127\.0\.0\.1:\d+", master.complained))[0]
        for number in range(2):
            options = ("--webui-port", "0", "--cores", "1", "--memory", "1g", "-d", str(folder / f"work-{number}"))
            worker = spark_class("worker.Worker", *options, address)
            worker.wait_for(lambda of=worker: "Successfully registered with master" in of.complained)
        yield Cluster(address, code, bare_python, tuple(started[1:]))
    finally:
        for process in reversed(started):
            process.child.terminate()
            process.end()


@pytest.fixture(scope="session")
def local_cluster(code, bare_python) -> Cluster:
    """Spark's own mode of two workers within the driver's JVM, whose executors are processes of their own."""
    return Cluster("local-cluster[2,1,1024]", code, bare_python)


@pytest.fixture(params=["standalone", "local_cluster"])
def cluster(request) -> Cluster:
    return request.getfixturevalue(request.param)
