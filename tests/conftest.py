"""What tests need and doctests do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real logs beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("CHRONOTOPE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real logs here: set CHRONOTOPE_DATA to their folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """The models of tests are small: more threads than one only get in each other's way."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
