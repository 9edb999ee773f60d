"""Contenders, and that none of them can be told anything by the future."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from benchmarks.ablations import averaged, deviation, one_run
from benchmarks.asked import scores_of
from benchmarks.next_place import lessons_of
from benchmarks.places import BLEND, CONF, COUNTED, contender, train, trained_scorers
from benchmarks.prepared import Stages
from benchmarks.trajectories import asked_of, in_time, split_of
from chronotope.config import load_settings
from chronotope.store.models import read_model
from tests.benchmarks.checkins import VENUES, drawn, frame

TINY = ["train.epochs=1", "train.dim=8", "train.hidden=8", "night.threads=1"]
TRAIN = in_time(frame(drawn(7, 0, 3, 150)))
PART = in_time(frame(drawn(8, 130, 3, 60)))


@pytest.fixture(scope="module")
def stages(_spark_session, tmp_path_factory):
    return Stages(_spark_session, load_settings(CONF, overrides=TINY), tmp_path_factory.mktemp("stages"))


@pytest.fixture(scope="module")
def lessons(stages):
    plain = TRAIN.assign(text=None)
    return lessons_of(plain, stages.catalogue(TRAIN), stages)


def scorers(lessons, stages):
    """The trained model and all that only count, by name."""
    train(lessons, stages.settings, 1, stages.folder / "model")
    made = {"chronotope": trained_scorers(read_model(stages.folder / "model"), lessons.catalogue)}
    return made | {name: counting(name, lessons, stages) for name in (*COUNTED, BLEND)}


def counting(name, lessons, stages):
    """A contender that is not trained."""
    return contender(name, 1, lessons, TINY, stages.folder).scorers(lessons.catalogue)


def all_scores(split, trajectory, competing, stages):
    """What every contender says to one query, by contender, history and slot."""
    row = np.flatnonzero(split.asked["trajectory_id"] == trajectory)
    return {
        (name, *setting): next(scores_of(by_slot[setting[1]], asked.rows(row)))[1][0]
        for setting, asked in asked_of(split, stages).items()
        for name, by_slot in competing.items()
    }


def poisoned(split, number):
    """The part with everything changed that happens after the check-in before a query, but for when the query is."""
    query, previous = split.query[number], split.previous[number]
    log = split.log.copy()
    later = log.index > previous
    log.loc[later, "item_id"] = [VENUES[(VENUES.index(v) + 3) % len(VENUES)] for v in log.loc[later, "item_id"]]
    log.loc[later, ["lat", "lon"]] += 5.0
    log.loc[later, "category"] = "poison"
    log.loc[log.index > query, "occurred_at"] += pd.Timedelta(hours=400)
    more = log[later].assign(trajectory_id="poison", occurred_at=log["occurred_at"].max() + pd.Timedelta(hours=1))
    return pd.concat([log[~log["past"]], more]).drop(columns="past")


def test_the_future_changes_no_score(lessons, stages):
    competing = scorers(lessons, stages)
    split = split_of("validation", TRAIN, TRAIN, PART)
    number = len(split.query) // 2
    trajectory = split.asked["trajectory_id"].iloc[number]
    changed = split_of("validation", TRAIN, TRAIN, poisoned(split, number))
    place = np.flatnonzero(changed.asked["trajectory_id"] == trajectory)[0]
    assert changed.asked["item_id"].iloc[place] != split.asked["item_id"].iloc[number], "the truth itself is poisoned"
    clean, dirty = (all_scores(of, trajectory, competing, stages) for of in (split, changed))
    assert [key for key in clean if not np.array_equal(clean[key], dirty[key])] == []
    assert len(clean) == 5 * len(competing)


def test_the_check_for_the_future_would_find_a_changed_past(lessons, stages):
    competing = {BLEND: counting(BLEND, lessons, stages)}
    split = split_of("validation", TRAIN, TRAIN, PART)
    number = len(split.query) // 2
    trajectory = split.asked["trajectory_id"].iloc[number]
    log = split.log.copy()
    log.loc[split.previous[number], "item_id"] = VENUES[3 if log["item_id"][split.previous[number]] != VENUES[3] else 4]
    clean, dirty = (all_scores(of, trajectory, competing, stages) for of in (split, replace(split, log=log)))
    assert {key for key in clean if not np.array_equal(clean[key], dirty[key])} >= {
        ("count_blend", history, "known") for history in ("train", "all")
    }


def test_the_blend_is_tuned_for_what_is_known_of_the_time(lessons, stages):
    by_slot, again = counting(BLEND, lessons, stages), counting(BLEND, lessons, stages)
    assert [again[slot].weights for slot in by_slot] == [scorer.weights for scorer in by_slot.values()]
    assert by_slot["known"].weights["next"] != by_slot["unknown"].weights["next"]


def test_training_ends_with_train_and_validates_on_its_last_tenth(lessons):
    at_s = TRAIN["occurred_at"].map(pd.Timestamp.timestamp)
    assert lessons.cut_s == at_s.max() + 1
    assert (at_s >= lessons.cut_s - lessons.tail_s).sum() >= 15
    assert (at_s > lessons.cut_s - lessons.tail_s).sum() <= 15
    assert lessons.early.popularity.sum() == lessons.catalogue.popularity.sum() * 135 / 150


def test_the_last_tenth_chooses_the_epochs_and_is_then_learned_from(lessons, stages):
    settings = load_settings(CONF, overrides=[*TINY, "train.epochs=3", "train.learning_rate=0.05"])
    train(lessons, settings, 3, stages.folder / "whole")
    trial, whole = (read_model(stages.folder / name).about for name in ("whole-trial", "whole"))
    assert len(whole["epochs"]) == trial["best_epoch"]
    assert trial["epochs"][0]["train_loss"] != trial["epochs"][0]["validation_loss"]
    assert whole["epochs"][0]["train_loss"] == whole["epochs"][0]["validation_loss"], "nothing is held out"


def test_a_variant_is_judged_in_every_information_set(lessons, stages):
    found = one_run(lessons, stages.settings, 1, stages.folder / "variant")
    sets = [figure for name, figure in found.items() if name != "all sets"]
    assert len(sets) == 5
    assert all(0 < figure <= 1 for figure in sets)
    assert found["all sets"] == pytest.approx(sum(sets) / 5)


def test_figures_over_seeds():
    runs = [{"a": 0.1, "all sets": 0.1}, {"a": 0.3, "all sets": 0.2}]
    assert averaged(runs) == {"a": 0.2, "all sets": 0.15}
    assert deviation(runs) == pytest.approx(0.0707)
    assert deviation(runs[:1]) is None
