"""What the benchmarks' tests need."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from benchmarks.peers.environment import FOLDER, REQUIREMENTS


@pytest.fixture(scope="session")
def peers_python() -> Path:
    """The Python of the peers' environment; it is big, so tests use it where it is and do not make it."""
    made_of = FOLDER / "requirements.txt"
    if not made_of.exists() or made_of.read_text(encoding="utf-8") != REQUIREMENTS.read_text(encoding="utf-8"):
        pytest.skip("no environment of the peers here: benchmarks.leave_one_out makes it")
    return FOLDER / "bin" / "python"


@pytest.fixture(scope="package", autouse=True)
def _one_thread():
    """The models here are small: more threads than one only get in each other's way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
