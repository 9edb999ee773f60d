"""What the benchmarks' tests need."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.peers.environment import FOLDER, REQUIREMENTS


@pytest.fixture(scope="session")
def peers_python() -> Path:
    """The Python of the peers' environment; it is big, so tests use it where it is and do not make it."""
    made_of = FOLDER / "requirements.txt"
    if not made_of.exists() or made_of.read_text(encoding="utf-8") != REQUIREMENTS.read_text(encoding="utf-8"):
        pytest.skip("no environment of the peers here: benchmarks.leave_one_out makes it")
    return FOLDER / "bin" / "python"
