"""The models of a night: which are due, what they may know, and what the table `models` says of them."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from chronotope.evaluate.gate import Decision
from chronotope.infer.workers import save_counts
from chronotope.tables import TABLES
from chronotope.train import contest as contesting
from chronotope.train import tuning
from chronotope.train.blend import KINDS, START, YARDSTICKS, CountBlend
from chronotope.train.contest import (
    Contest,
    contest,
    contestants,
    known_catalogue,
    model_rows,
    tuned,
    tuning_sample,
)
from tests.evaluate.test_evaluations import ranked
from tests.rows import MONDAY, NIGHT, frame
from tests.train import small
from tests.train.test_catalogue import CUT, EMBEDDINGS, ITEMS, SESSIONS
from tests.train.test_histories import session, step

DAY = dt.timedelta(days=1)
END = dt.datetime(2012, 11, 1, tzinfo=dt.UTC)  # of NIGHT, in UTC


@pytest.fixture(scope="module")
def weekly(defaults):
    """Tails of three days."""
    return defaults.model_copy(update={"train": defaults.train.model_copy(update={"tail_days": 3})})


def row(model_id, days_ago, chosen=False, kind="space_time"):
    """A row of table `models`."""
    night = NIGHT - days_ago * DAY
    path = f"_models/night={night}" if chosen else f"_models/{model_id}"
    return {
        "model_id": model_id, "kind": kind, "settings": "{}", "metrics": {}, "path": path, "chosen": chosen,
        "decision": "because", "night": night,
    }  # fmt: skip


def met(spark, settings, rows, has_history=True):
    return contest(frame(spark, "models", rows), settings, END, NIGHT, has_history)


def test_on_the_first_night_a_new_model_meets_the_count_model(spark, weekly):
    found = met(spark, weekly, [])
    assert found.new == f"space_time-{NIGHT}-{weekly.digest()}"
    assert found.counts == f"counts-{NIGHT}-{weekly.digest()}"
    assert (found.recent, found.recent_path) == (None, None)


def test_where_nothing_happened_before_the_tail_the_count_model_is_alone(spark, weekly):
    found = met(spark, weekly, [], has_history=False)
    assert (found.new, found.recent, found.counts) == (None, None, f"counts-{NIGHT}-{weekly.digest()}")


def test_a_new_model_meets_that_of_the_last_refresh(spark, weekly):
    rows = [row("space", 14), row("counted 14", 14, chosen=True, kind="counts"),
            row("newer", 7, chosen=True), row("counted 7", 7, kind="counts")]  # fmt: skip
    found = met(spark, weekly, rows)
    assert (found.new, found.recent) == (f"space_time-{NIGHT}-{weekly.digest()}", "newer")
    assert found.recent_path == f"_models/night={NIGHT - 7 * DAY}"


def test_the_last_choice_is_the_recent_model_in_whatever_order_rows_come(spark, weekly):
    rows = [row("space", 1), row("counted", 1, chosen=True, kind="counts"), row("space", 2, chosen=True)]
    assert {met(spark, weekly, order).recent for order in (rows, rows[::-1])} == {"counted"}


def test_the_tail_and_the_days_before_it_end_at_the_cut(spark, weekly):
    found = met(spark, weekly, [])
    assert (found.cut, found.tuning_from) == (END - 3 * DAY, END - 6 * DAY)


def test_other_settings_give_models_other_names(spark, weekly, defaults):
    mine, other = met(spark, weekly, []), met(spark, defaults, [])
    assert mine.new != other.new
    assert mine.counts != other.counts


def known(spark, settings, sessions, cut=CUT):
    items, vectors = frame(spark, "items", ITEMS), frame(spark, "item_embeddings", EMBEDDINGS)
    return known_catalogue(items, vectors, frame(spark, "sessions", sessions), settings, cut)


def test_the_catalogue_is_that_of_the_cut(spark, defaults):
    late = session("k9", step("9", 100, "poison"))
    assert known(spark, defaults, [*SESSIONS, late]).item_ids == ["a", "b", "undescribed"]


def test_there_is_no_catalogue_where_nothing_happened_before_the_cut(spark, defaults):
    assert known(spark, defaults, SESSIONS, MONDAY) is None
    assert known(spark, defaults, []) is None


def sampled(spark, names):
    found = tuning_sample(spark.createDataFrame([(name, len(name)) for name in names], "user_id string, n int"))
    return found["user_id"].tolist()


def test_the_sample_is_the_same_whatever_else_is_in_the_log(spark, monkeypatch):
    monkeypatch.setattr(contesting, "TUNING_USERS", 5)
    users = [f"u{n}" for n in range(40)]
    of_many = sampled(spark, users)
    assert len(of_many) == 5
    assert sampled(spark, users[::-1]) == of_many
    assert sampled(spark, sorted({*of_many, *users[:10]})) == of_many
    assert of_many != users[:5]


def test_a_small_log_is_sampled_whole(spark):
    assert sorted(sampled(spark, ["u2", "u1", "u3"])) == ["u1", "u2", "u3"]


def night_of(cut_s, tuning_days=4):
    cut = dt.datetime.fromtimestamp(cut_s, dt.UTC)
    return Contest(cut, cut - tuning_days * DAY, None, None, None, "counts-tonight")


# Users who take the same item every day at eight, until the poisoned tail.
DAYS, CUT_S = 12, small.MONDAY_S + 12 * small.DAY_S
ROWS = [
    small.history(f"u{n}", [n % 6] * DAYS, small.MONDAY_S + 8 * small.HOUR_S + small.DAY_S * np.arange(DAYS))
    for n in range(12)
]


def test_without_earlier_counts_the_usual_weights_are_taken(defaults):
    assert tuned(pd.DataFrame(ROWS), None, night_of(CUT_S), defaults) == dict.fromkeys(KINDS, START)


def test_weights_are_tuned_on_the_days_before_the_cut_and_on_nothing_later(defaults, monkeypatch):
    monkeypatch.setattr(tuning, "DRAWS", 30)
    early = small.counted(small.catalogue(), [small.history(r["user_id"], [0] * 8) for r in ROWS])
    at_s = np.concatenate([ROWS[0]["occurred_at_s"], CUT_S + small.HOUR_S * np.arange(30)])
    poisoned = [small.history(r["user_id"], [n % 6] * DAYS + [5] * 30, at_s) for n, r in enumerate(ROWS)]
    weights = tuned(pd.DataFrame(ROWS), early, night_of(CUT_S), defaults)
    assert weights == tuned(pd.DataFrame(poisoned), early, night_of(CUT_S), defaults)
    assert weights["next"] != START


def test_the_yardsticks_stand_beside_the_models(tmp_path):
    for name in ("counts-1", "counts-2"):
        save_counts(CountBlend(small.catalogue(), dict.fromkeys(KINDS, START), name), tmp_path / name)
    found = contestants([tmp_path / "counts-1", tmp_path / "counts-2"], "cpu")
    assert [scorer.model_id for scorer in found] == ["counts-1", "counts-2", *YARDSTICKS]
    assert found[-1].catalogue is found[0].catalogue


KINDS_OF = {"space": "space_time", "counted": "counts"}
RANKS = [
    {"model": "space", "protocol": "tail_morning", "rank": 1},
    {"model": "space", "protocol": "tail_morning", "rank": 4},
    {"model": "space", "protocol": "tail_next", "rank": 2},
    {"model": "counted", "protocol": "tail_morning", "rank": 2},
    {"model": "popularity", "protocol": "tail_morning", "rank": 3},
]


def model_table(spark, settings, chosen, ranks=RANKS):
    made = model_rows(
        ranked(spark, ranks), KINDS_OF, Decision(chosen, f"{chosen} publishes"), "_models/night=x", settings, NIGHT
    )
    assert TABLES["models"].faults(made) == []
    return {found["model_id"]: found for found in made.collect()}


@pytest.mark.parametrize(("chosen", "other"), [("space", "counted"), ("counted", "space")])
def test_the_model_that_publishes_is_chosen_and_kept_where_the_night_has_it(spark, defaults, chosen, other):
    found = model_table(spark, defaults, chosen)
    assert (found[chosen]["chosen"], found[chosen]["path"]) == (True, "_models/night=x")
    assert (found[other]["chosen"], found[other]["path"]) == (False, f"_models/{other}")


def test_every_model_of_the_contest_has_a_row_and_no_yardstick_has(spark, defaults):
    found = model_table(spark, defaults, "space")
    assert {name: of["kind"] for name, of in found.items()} == KINDS_OF
    assert {(of["decision"], of["night"]) for of in found.values()} == {("space publishes", NIGHT)}
    assert {of["settings"] for of in found.values()} == {json.dumps(defaults.train.model_dump(), sort_keys=True)}


def test_metrics_are_mean_reciprocal_ranks_by_protocol(spark, defaults):
    found = model_table(spark, defaults, "space")
    assert found["space"]["metrics"] == {"tail_morning.mrr": (1 / 1 + 1 / 4) / 2, "tail_next.mrr": 1 / 2}
    assert found["counted"]["metrics"] == {"tail_morning.mrr": 1 / 2}


def test_a_night_without_a_tail_still_names_its_models(spark, defaults):
    found = model_table(spark, defaults, "counted", ranks=[])
    assert {name: of["metrics"] for name, of in found.items()} == {"space": {}, "counted": {}}


def test_a_truth_that_is_no_candidate_counts_nothing(spark, defaults):
    missed = {"model": "space", "protocol": "tail_morning", "rank": 5}  # of 4 candidates
    found = model_table(spark, defaults, "space", [missed])
    assert found["space"]["metrics"] == {"tail_morning.mrr": 0.0}
