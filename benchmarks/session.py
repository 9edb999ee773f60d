"""The session that a benchmark measures in."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks.report import ROOT
from chronotope.store.session import open_session


def session(name: str, folder: Path, cores: int = 2) -> SparkSession:
    """The session of the jobs, held to so many cores; its scratch files go to the folder."""
    conf = (ROOT / "conf" / "spark" / "local.conf").read_text()
    path = folder / "spark.conf"
    path.write_text(conf.replace("local[*,4]", f"local[{cores}]") + f"spark.local.dir {folder}\n")
    return open_session(name, path)
