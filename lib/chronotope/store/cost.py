"""The memory that the driver's processes hold while a stage runs.

It is sampled: every `PERIOD_S` the resident sets of the driver's Python process, its JVM and the Python workers on the
same machine are added up, and the largest sum counts. Pages that forked workers share are counted once for each of
them, and a peak shorter than the period may be missed. Executors on other machines are not in it. Under `spark-submit`
the JVM is the parent of the Python process, so the tree is taken from there.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType

PROC = Path("/proc")
PERIOD_S = 0.5
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
PARENT, RESIDENT_PAGES = 1, 21  # places in /proc/PID/stat behind the process's name


class Meter:
    """Samples from entering its block to leaving it; `peak_memory_bytes` is then there, however the block ended.

    It is None where there is no /proc.
    """

    def __init__(self) -> None:
        self.peak_memory_bytes: int | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="peak-memory", daemon=True)

    def __enter__(self) -> Meter:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        root = tree_root()
        while True:
            held = resident_bytes(root)
            if held is None:
                return
            self.peak_memory_bytes = max(held, self.peak_memory_bytes or 0)
            if self._over.wait(PERIOD_S):
                return


def tree_root() -> int:
    """The process from which all of the driver's processes descend."""
    return os.getppid() if "PYSPARK_GATEWAY_PORT" in os.environ else os.getpid()


def resident_bytes(root: int) -> int | None:
    """The resident sets of a process and of all its descendants, in bytes; None where there is no /proc."""
    if not (PROC / str(root) / "stat").is_file():
        return None
    children: dict[int, list[int]] = {}
    pages: dict[int, int] = {}
    for path in PROC.glob("[0-9]*/stat"):
        try:
            fields = path.read_bytes().rpartition(b")")[2].split()  # a process's name may hold anything
        except OSError:
            continue  # it has ended since it was listed
        pid = int(path.parent.name)
        children.setdefault(int(fields[PARENT]), []).append(pid)
        pages[pid] = int(fields[RESIDENT_PAGES])
    tree = [root]
    for pid in tree:
        tree += children.get(pid, [])
    return sum(pages.get(pid, 0) for pid in tree) * PAGE_BYTES
