"""Petastorm against the default loader: the same frames, the same batches, the same losses."""

from __future__ import annotations

import math
import threading

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from chronotope.store.models import read_model
from chronotope.train.examples import Period, Sampling, examples
from chronotope.train.fit import fit
from chronotope.train.histories import histories
from chronotope.train.loading import READ_USERS, load_parquet, loader_of
from tests.rows import MONDAY, frame
from tests.train import small

pytest.importorskip("petastorm")  # only the oldest supported versions can import it

KNOWN = small.catalogue()
LOAD = loader_of("petastorm")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two files of many row groups, with users of no step, of many, and with unknown regions and places."""
    random = np.random.default_rng(0)
    rows = []
    for n in range(2 * READ_USERS + 100):
        k = int(random.integers(30)) if n % 50 else 0
        at_s = small.MONDAY_S + np.sort(random.uniform(0, 30 * small.DAY_S, k))
        region = [[None, "south", "nörd"][r] for r in random.integers(3, size=k)]
        lat = np.where(random.random(k) < 0.5, np.nan, 40.0)
        rows.append(small.history(f"u{n}", random.integers(7, size=k).tolist(), at_s, region=region, lat=lat))
    paths = small.write(tmp_path_factory.mktemp("night=1 ä"), rows, files=2)
    for path in paths:
        pq.write_table(pq.read_table(path), path, row_group_size=70)
    return paths


def assert_same(one, other):
    """Whether two batches, or parts of them, hold the same."""
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    elif hasattr(one, "__dataclass_fields__"):
        for name in one.__dataclass_fields__:
            assert_same(getattr(one, name), getattr(other, name))
    else:
        assert one == other


def test_frames_are_the_same(files):
    for path in files:
        both = list(zip(load_parquet(path), LOAD(path), strict=True))
        assert len(both) == 2
        for expected, found in both:
            pd.testing.assert_frame_equal(found, expected)


def test_batches_are_the_same_in_the_same_order(files):
    sampling = Sampling(window_steps=8, batch_queries=64, hide_previous=0.3, hide_lately=0.2)
    asked = (files, KNOWN, Period(-math.inf, math.inf), sampling, 7)
    batches = list(zip(examples(*asked), examples(*asked, LOAD), strict=True))
    assert len(batches) > 100
    for expected, found in batches:
        assert_same(found, expected)


def test_losses_are_the_same(files, defaults, tmp_path):
    settings, losses = defaults.model_copy(update={"train": small_training(defaults)}), {}
    for name in ("parquet", "petastorm"):
        chosen = settings.model_copy(update={"train": settings.train.model_copy(update={"loader": name})})
        cut_s = small.MONDAY_S + 30 * small.DAY_S
        fit(files[:1], KNOWN, chosen, cut_s, 5 * small.DAY_S, tmp_path / name / "m", seed=1)
        losses[name] = epochs(tmp_path / name / "m")
    assert losses["petastorm"] == losses["parquet"]
    assert len(losses["parquet"]) == 2


def small_training(defaults):
    return defaults.train.model_copy(update={"dim": 8, "hidden": 8, "trust_hidden": 8, "max_steps": 8, "epochs": 2})


def epochs(folder):
    """Training and validation loss of each epoch."""
    return [(epoch["train_loss"], epoch["validation_loss"]) for epoch in read_model(folder).about["epochs"]]


def test_a_pass_that_ends_early_leaves_no_thread(files):
    frames = LOAD(files[0])
    next(frames)
    before = threading.active_count()
    frames.close()
    assert threading.active_count() < before


def test_what_spark_wrote_is_read_alike(spark, tmp_path):
    step = {
        "event_id": "e", "item_id": "i00", "action": "view", "occurred_at": MONDAY, "slot": 12,
        "cell": None, "region": None, "lat": None, "lon": None, "gap_s": None, "distance_m": None,
    }  # fmt: skip
    sessions = [
        {"session_key": f"s{n}", "user_id": f"u{n}", "started_at": MONDAY, "ended_at": MONDAY, "closed": True,
         "steps": [tuple(step.values())] * (1 + n % 3)} for n in range(20)
    ]  # fmt: skip
    histories(frame(spark, "sessions", sessions), 100).write.parquet(str(tmp_path / "histories"))
    written = sorted((tmp_path / "histories").glob("*.parquet"))
    for path in written:
        pd.testing.assert_frame_equal(pd.concat(LOAD(path)), pd.concat(load_parquet(path)))
    assert sum(len(rows) for path in written for rows in LOAD(path)) == 20
