"""Ways to do the same work, measured by turns, so that what else the machine does meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping


def measure(ways: Mapping[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Seconds of each way's runs, taking turns; a first turn warms up and does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(runs + 1):
        for name, work in ways.items():
            started = time.perf_counter()
            work()
            taken = time.perf_counter() - started
            print(f"turn {turn}: {name} {taken:.2f} s", flush=True)
            if turn:
                seconds[name].append(taken)
    return seconds
