"""What a stage costs is measured on real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from chronotope.store.cost import Meter, resident_bytes, tree_root

HOLDS = "import sys; held = bytearray(b'x') * int(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
MIB = 2**20


def holder(n_bytes):
    """A process that holds so many bytes until its input is closed."""
    child = subprocess.Popen([sys.executable, "-c", HOLDS, str(n_bytes)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    return child


def test_resident_memory_is_that_of_a_process_and_all_below_it():
    alone = resident_bytes(os.getpid())
    with holder(64 * MIB) as child:
        together, of_child = resident_bytes(os.getpid()), resident_bytes(child.pid)
        child.stdin.close()
    assert of_child > 64 * MIB
    assert together - alone == pytest.approx(of_child, rel=0.3)
    assert resident_bytes(2**22 + 1) is None  # above the largest process id


def test_the_root_is_the_jvm_where_spark_submit_started_it(monkeypatch):
    monkeypatch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
    assert tree_root() == os.getpid()
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")
    assert tree_root() == os.getppid()


def test_the_peak_of_a_block_is_kept_though_it_passes():
    with Meter() as quiet:
        pass
    with Meter() as meter, holder(300 * MIB) as child:
        time.sleep(1.2)  # two samples
        child.stdin.close()
    assert meter.peak_memory_bytes > quiet.peak_memory_bytes + 200 * MIB


def test_an_error_passes_and_the_peak_is_there():
    meter = Meter()
    with pytest.raises(ValueError, match="in the stage"), meter:
        raise ValueError("in the stage")
    assert meter.peak_memory_bytes > 0
