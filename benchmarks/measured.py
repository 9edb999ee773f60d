"""Seconds and memory of a piece of work, in a process of its own so that nothing else counts."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Measured(Generic[T]):
    """What a function gave, and what it took."""

    value: T
    seconds: float  # by the wall clock, without the start of the process
    peak_gib: float  # most memory that the process ever had, imports included


def measured(function: Callable[..., T], *arguments: object) -> Measured[T]:
    """Call a module's function in a fresh process; it, its arguments and its value are pickled."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(timed, function, *arguments).result()


def timed(function: Callable[..., T], *arguments: object) -> Measured[T]:
    """What happens in that process."""
    started = time.perf_counter()
    value = function(*arguments)
    return Measured(value, time.perf_counter() - started, peak_gib())


def peak_gib() -> float:
    """The most memory that this process had at a time.

    Not `resource.getrusage`: a child inherits its figure, so a small child of a large parent looks large.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kib) / 2**20
