from __future__ import annotations

import pytest

from chronotope.config import load_settings


@pytest.fixture(params=["delta", "parquet"])
def in_format(request, settings_file):
    """The shipped settings, once with each table format."""
    return load_settings(settings_file, overrides=[f"night.format={request.param}"])
