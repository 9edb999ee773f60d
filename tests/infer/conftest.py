"""A small space-time model in a folder, untrained: its numbers are arbitrary but fixed."""

from __future__ import annotations

import datetime as dt
import functools

import pytest
import torch

from chronotope.infer.workers import load_scorer
from chronotope.train.scorer import SpaceTimeScorer
from chronotope.train.space_time import SpaceTime
from chronotope.train.tables import item_tables
from tests.train import small

NIGHT = dt.date(2012, 10, 2)
NIGHT_END = dt.datetime(2012, 10, 3, tzinfo=dt.UTC)


@pytest.fixture(scope="session")
def small_settings(defaults):
    train = defaults.train.model_copy(update={"dim": 8, "hidden": 5})
    night = defaults.night.model_copy(update={"dayparts": small.DAYPARTS, "threads": 1})
    infer = defaults.infer.model_copy(update={"device": "cpu", "batch_users": 3})
    return defaults.model_copy(update={"train": train, "night": night, "infer": infer})


@pytest.fixture(scope="session")
def scorer(small_settings):
    torch.manual_seed(0)
    known = small.catalogue()
    model = SpaceTime(known, item_tables(known, torch.device("cpu")), small_settings.train, (30.0, 3.0))
    return SpaceTimeScorer("m1", known, model)


@pytest.fixture(scope="session")
def load(scorer, small_settings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "m1"
    scorer.save(folder, {"settings": small_settings.train.model_dump()})
    return functools.partial(load_scorer, folder, "cpu", 1)
