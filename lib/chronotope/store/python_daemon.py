"""Spark's Python workers without two costs that they pay for every task; named by `spark.python.daemon.module`.

Before each task `pyspark.worker` calls `importlib.invalidate_caches()`, which reads the tables of contents of all zip
files on the path again, Spark's own jar among them: 90 ms. And after each task it collects garbage, which walks
through every object that an import left behind: 110 ms with torch and transformers. A night has hundreds of tasks.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import IO
from zipimport import zipimporter

from pyspark import daemon, worker


def main(infile: IO[bytes], outfile: IO[bytes]) -> None:
    """Run one task, as `pyspark.worker.main` does."""
    forget_zip_finders()
    imported = len(sys.modules)
    worker.main(infile, outfile)
    if len(sys.modules) > imported:
        gc.collect()
        gc.freeze()  # what modules hold stays as long as the worker; later collections need not look at it


def forget_zip_finders() -> None:
    """Drop the finders of zip files: whoever imports from one again gets a new one, and the table that was read."""
    finders = sys.path_importer_cache
    for path in [path for path, finder in finders.items() if isinstance(finder, zipimporter)]:
        del finders[path]


if __name__ == "__main__":
    daemon.worker_main = main
    manage: Callable[[], None] = daemon.manager
    manage()
