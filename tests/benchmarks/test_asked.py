"""One row per query, asked in batches."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import asked
from benchmarks.asked import Asked, answers, scores_of, together
from benchmarks.prepared import Stages
from chronotope.train.blend import KINDS, START, CountBlend
from tests.benchmarks.checkins import checkin, frame

HOURS = [(f"v{n % 5}", 10 + 7 * n) for n in range(12)]
ROWS = frame([checkin("ann", venue, hour, "a1") for venue, hour in HOURS])


@pytest.fixture(scope="module")
def world(_spark_session, defaults, tmp_path_factory):
    """A scorer, and six queries that know 0 to 5 steps of one user."""
    stages = Stages(_spark_session, defaults, tmp_path_factory.mktemp("stages"))
    query, event = np.nonzero(np.arange(12) < np.arange(6)[:, None])
    known = stages.known(ROWS, query, event, 6)
    scorer = CountBlend(stages.catalogue(ROWS), dict.fromkeys(KINDS, START))
    at_s = np.full(6, ROWS["occurred_at"].iloc[7].timestamp())
    return scorer, Asked(known, at_s, np.arange(6), np.ones(6, dtype=bool))


def test_batches_change_no_answer(world, monkeypatch):
    scorer, of = world
    whole = answers(scorer, of, ["v1"] * 6, 3)
    monkeypatch.setattr(asked, "SCORES_AT_ONCE", 1)
    single = answers(scorer, of, ["v1"] * 6, 3)
    assert whole["rank"].tolist() == single["rank"].tolist()
    assert np.array_equal(np.stack(whole["top"]), np.stack(single["top"]))
    assert len({id for top in whole["top"] for id in top}) > 3, "queries differ"
    assert [len(rows) for rows, _ in scores_of(scorer, of)] == [1] * 6


def test_an_unknown_truth_is_a_miss(world):
    scorer, of = world
    assert answers(scorer, of, ["v1", "nowhere"] * 3, 3)["rank"].tolist()[1::2] == [6, 6, 6]


def test_without_time_a_query_is_asked_at_its_last_known_step(world):
    _, of = world
    timeless = of.without_time()
    assert timeless.slot.tolist() == [-1] * 6
    assert timeless.at_s.tolist() == [0.0] + [ROWS["occurred_at"].iloc[n].timestamp() for n in range(5)]


def test_each_query_is_the_only_one_of_its_user(world):
    scorer, of = world
    users, queries = together([of.rows(np.array([4, 1])), of]).batch(scorer.catalogue)
    assert users.length.tolist() == queries.known_steps.tolist() == [4, 1, 0, 1, 2, 3, 4, 5]
    assert queries.user.tolist() == list(range(8))
    assert queries.previous_known.tolist() == [True, True, False, True, True, True, True, True]
    assert set(queries.region) == {-1}
