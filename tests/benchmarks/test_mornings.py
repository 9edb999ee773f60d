"""What everybody had done by the morning of a query, against a plain count; what came after it changes nothing."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.mornings import mornings
from benchmarks.prepared import Stages
from benchmarks.trajectories import HISTORIES, counted_to_s, end_of_past_s, midnights_s, seconds, split_of
from tests.benchmarks.checkins import MONDAY, checkin, drawn, frame
from tests.benchmarks.test_trajectories import PART, TRAIN

HOUR_S = 3600


def hours_counted(split, history):
    """Up to which hour after Monday each query knows what everybody did."""
    return ((counted_to_s(split, history) - MONDAY.timestamp()) / HOUR_S).tolist()


def made(train, part, stages):
    split = split_of("validation", frame(train), frame(train), frame(part))
    catalogue = stages.catalogue(split.past.drop(columns="past"))
    return split, catalogue, mornings(split, catalogue, stages)


LEARNED, ASKED = drawn(1, 0, 4, 80), drawn(2, 130, 4, 80)


@pytest.fixture(scope="module")
def stages(_spark_session, defaults, tmp_path_factory):
    short = defaults.train.model_copy(update={"history_steps": 5})  # of what is learned from, not of what is counted
    return Stages(_spark_session, defaults.model_copy(update={"train": short}), tmp_path_factory.mktemp("mornings"))


@pytest.fixture(scope="module")
def world(stages):
    """A split, the catalogue of its past, and its mornings."""
    return made(LEARNED, ASKED, stages)


def test_a_query_knows_what_everybody_did_by_the_midnight_before():
    split = split_of("validation", frame(TRAIN), frame(TRAIN), frame(PART))
    assert hours_counted(split, "train") == pytest.approx([11, 11], abs=1 / HOUR_S)
    assert hours_counted(split, "all") == [192, 216]  # the check-ins before are of hours 200 and 227
    assert hours_counted(split, "night") == [192, 240]  # local midnights are at hours 196 and 244


def test_the_past_is_known_on_its_own_last_day():
    part = [checkin("ann", "v1", 12, "a2"), checkin("ann", "v2", 13, "a2")]
    split = split_of("validation", frame(TRAIN), frame(TRAIN), frame(part))
    assert [hours_counted(split, history)[0] for history in ("train", "all", "night")] == [11 + 1 / HOUR_S] * 2 + [0]


def test_each_morning_counts_what_was_before_it(world):
    split, _, found = world
    at_s, item = seconds(split.log), split.log["item_id"].to_numpy()
    assert len(found.catalogues) > 3
    for history in HISTORIES:
        for morning, end_s in zip(found.of[history], counted_to_s(split, history), strict=True):
            catalogue = found.catalogues[morning]
            counted = np.asarray(catalogue.popularity[: len(catalogue.dayparts)].sum(axis=0)).ravel()
            assert dict(zip(catalogue.item_ids, counted, strict=True)) == Counter(item[at_s < end_s])
            users = split.log[at_s < end_s].groupby("item_id")["user_id"].nunique()
            assert catalogue.visitors.tolist() == users[catalogue.item_ids].tolist()


def test_who_knows_train_alone_reads_the_catalogue_of_the_past(world):
    _, catalogue, found = world
    assert all(found.catalogues[morning] is catalogue for morning in found.of["train"])


@pytest.mark.parametrize("seed", range(10))
def test_nobody_knows_of_others_what_may_not_be_known_of_the_user(seed):
    train = frame(drawn(seed, 0, 4, 80))
    split = split_of("validation", train, train, frame(drawn(seed + 100, 130, 4, 80)))
    at_s = seconds(split.log)
    assert (counted_to_s(split, "all") <= np.maximum(at_s[split.previous], end_of_past_s(split))).all()
    assert (counted_to_s(split, "night") <= midnights_s(split.asked)).all()
    for history in HISTORIES:
        assert (counted_to_s(split, history) <= at_s[split.query]).all()


def test_what_comes_after_a_morning_changes_none_of_its_counts(world, stages):
    split, _, found = world
    middle = len(found.catalogues) // 2
    moments = np.unique([counted_to_s(split, history) for history in HISTORIES])
    moved = [{**row, "item_id": "v0"} if row["occurred_at"].timestamp() >= moments[middle] else row for row in ASKED]
    *_, poisoned = made(LEARNED, moved, stages)
    same = [
        (one.popularity != other.popularity).nnz == (one.transitions != other.transitions).nnz == 0
        and one.trending.tolist() == other.trending.tolist()
        and one.visitors.tolist() == other.visitors.tolist()
        for one, other in zip(found.catalogues, poisoned.catalogues, strict=True)
    ]
    assert all(same[: middle + 1])
    assert not any(same[middle + 1 :])
    assert 0 < middle < len(same) - 1


def test_mornings_come_in_order_and_each_counts_more(world):
    events = [catalogue.popularity.sum() for catalogue in world[-1].catalogues]
    assert all(before <= after for before, after in pairwise(events))
    assert events[0] < events[-1]
