"""What a piece of work took."""

from __future__ import annotations

import os

import numpy as np

from benchmarks.measured import measured


def filled(mib: int) -> tuple[int, float]:
    """Work that needs so much memory: the process that did it, and a sum."""
    return os.getpid(), float(np.ones(mib * 2**17).sum())


def test_memory_and_time_are_those_of_the_work_alone():
    kept = np.ones(300 * 2**17)  # the caller's memory is nobody else's
    small, large = measured(filled, 1), measured(filled, 400)
    assert small.value[1] == 2**17
    assert len({os.getpid(), small.value[0], large.value[0]}) == 3
    assert small.peak_gib < large.peak_gib - 350 / 1024
    assert small.peak_gib < 300 / 1024
    assert 0 < small.seconds < 60
    assert kept.nbytes == 300 * 2**20
