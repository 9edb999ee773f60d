"""One written world for all tests that only look at it, and a way to make small ones."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from chronotope.store.world import write_world
from chronotope.world.build import build_world
from tests.oracles.world import judge
from tests.world.sizes import sized


@dataclass(frozen=True)
class Written:
    """A world on disk: its folder, planted.json, the truth as pandas frames, and what a plain judge says of the log."""

    folder: Path
    planted: dict[str, Any]
    refused: dict[str, Any]
    accepted: list[dict[str, Any]]

    def truth(self, name: str) -> pd.DataFrame:
        return pd.read_parquet(self.folder / "truth" / name)

    def events(self) -> pd.DataFrame:
        """The events as they truly were, once each, with their place in the 60 days."""
        records = self.truth("records")
        first = records[records["copy"] == 1]
        start = (dt.date.fromisoformat(self.planted["options"]["start"]) - dt.date(1970, 1, 1)).days
        return first.assign(progress=(first["day"] - start) / (self.planted["options"]["days"] - 1))


@pytest.fixture(scope="session")
def written(_spark_session, tmp_path_factory) -> Written:
    folder = tmp_path_factory.mktemp("world")
    options = sized(users=120, items=430, days=60, events_per_user_day=4.5, late_share=0.02)
    planted = write_world(_spark_session, build_world(_spark_session, options), folder)
    assert planted == json.loads((folder / "truth" / "planted.json").read_text(encoding="utf-8"))
    return Written(folder, planted, *judge(folder / "events"))
