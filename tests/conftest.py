"""What tests need and doctests do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real logs beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("CHRONOTOPE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real logs here: set CHRONOTOPE_DATA to their folder")
    return folder
