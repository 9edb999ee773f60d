"""Table user_states: one row per user, equal to what the model says outside of Spark."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from chronotope.infer.states import at_the_end, split, states_of, user_states
from chronotope.infer.workers import on_worker, to_workers
from chronotope.tables import TABLES
from tests.infer.conftest import NIGHT
from tests.infer.frames import histories_frame
from tests.train import small

ROWS = [small.history(f"u{n}", items) for n, items in enumerate([[0, 1, 2], [5], [3, 3, 3, 4, 1], [9]])]


def test_states_are_those_of_the_model(spark, load, scorer, small_settings):
    frame = user_states(histories_frame(spark, ROWS).repartition(2), load, small_settings, NIGHT)
    TABLES["user_states"].check(frame)
    found = {row.user_id: row for row in frame.collect()}
    users = small.users(ROWS, scorer.catalogue)
    expected = scorer.encode(users, at_the_end(users))
    assert set(found) == {"u0", "u1", "u2", "u3"}
    for user_id, state in zip(users.user_ids, expected, strict=True):
        row = found[user_id]
        assert np.concatenate([row.state, row.long, row.short]) == pytest.approx(state, abs=1e-5)
        assert (len(row.state), len(row.long), len(row.short), row.model) == (5, 4, 4, "m1")


def test_as_of_is_the_last_step_to_the_microsecond(spark, load, small_settings):
    at_s = [small.MONDAY_S + 1, small.MONDAY_S + 3661.000001]
    frame = histories_frame(spark, [small.history("u", [0, 1], at_s)])
    row = user_states(frame, load, small_settings, NIGHT).select("as_of").toPandas().iloc[0]
    assert row.as_of == pd.Timestamp(dt.datetime(2012, 10, 1, 1, 1, 1, 1))


def test_users_without_steps_are_left_out(spark, load, small_settings):
    frame = histories_frame(spark, [small.history("nobody", []), small.history("u", [0])])
    assert [r.user_id for r in user_states(frame, load, small_settings, NIGHT).collect()] == ["u"]


def batch():
    return pa.RecordBatch.from_pandas(pd.DataFrame(ROWS))


def test_batches_do_not_change_a_state(load):
    one, all_ = (
        pa.Table.from_batches(states_of(to_workers(load), size, iter([batch()]))).to_pandas().set_index("user_id")
        for size in (1, 10)
    )
    one, all_ = one.sort_index(), all_.sort_index()
    assert np.stack(one["state"]) == pytest.approx(np.stack(all_["state"]), abs=1e-6)


def test_the_model_is_loaded_once_per_worker(load):
    on_worker.cache_clear()
    loader = to_workers(load)
    assert len(list(states_of(loader, 2, iter([batch(), batch()])))) == 4
    list(states_of(to_workers(load), 2, iter([batch()])))
    assert on_worker.cache_info().misses == 1


def test_a_model_without_states_gives_empty_arrays():
    assert {name: part.shape for name, part in split(np.zeros((3, 0), np.float32), 4).items()} == {
        "state": (3, 0),
        "long": (3, 0),
        "short": (3, 0),
    }
