"""From scores to probabilities, and the counts of another moment in a catalogue."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.past import counted_by
from chronotope.train.scoring import places_of, probabilities
from tests.oracles import infer as oracle
from tests.train import small

ROWS = st.lists(st.floats(-20, 20, width=32), min_size=1, max_size=30)


@given(ROWS, st.floats(0, 0.5))
def test_probabilities_are_those_of_the_plain_twin(row, smoothing):
    found = probabilities(np.array([row], np.float32), smoothing)[0]
    assert found == pytest.approx(oracle.probabilities(row, smoothing), rel=1e-4, abs=1e-12)
    assert found.sum() == pytest.approx(1.0)


@given(st.lists(st.floats(0.1, 1), min_size=2, max_size=9), st.floats(0, 0.5))
def test_what_smoothed_truths_teach_is_taken_back(weights, smoothing):
    true = np.array(weights) / sum(weights)
    learned = (1 - smoothing) * true + smoothing / len(true)  # where cross-entropy with smoothed truths is least
    assert probabilities(np.log(learned)[None].astype(np.float32), smoothing)[0] == pytest.approx(true, abs=1e-5)


def test_ranks_are_those_of_the_scores():
    scores = np.random.default_rng(0).normal(0, 5, (4, 200)).astype(np.float32)
    assert (np.argsort(probabilities(scores, 0.1)) == np.argsort(scores)).all()


def test_a_catalogue_as_of_another_moment_has_its_counts_and_the_same_items(tmp_path):
    known = small.catalogue()
    files = small.write(tmp_path, [small.history("u", [1, 2, 1], region=["north"] * 3)])
    counted = counted_by(files, known, np.array([small.MONDAY_S + 1e9]), small.HOUR_S)[-1]
    then = known.as_of(counted)
    assert then.item_ids == known.item_ids
    assert then.visitors.tolist() == [0, 1, 1, 0, 0, 0]
    assert then.popularity.sum() == 6, "each event counts everywhere and in its region"


def test_a_step_without_a_place_of_its_own_is_where_its_item_is():
    known = small.catalogue(places=True)
    known = dataclasses.replace(known, lat=np.where(np.arange(6) == 2, np.nan, known.lat))
    place = {"lat": np.array([41.0, np.nan, np.nan, 41.0]), "lon": np.array([-75.0, np.nan, np.nan, np.nan])}
    users = small.users([small.history("u", [0, 1, 2, 0], **place), small.history("v", [1])], known)
    lat, lon = places_of(users, (np.array([0, 0, 0, 0, 1]), np.array([0, 1, 2, 3, 2])), known)
    expected = [(41.0, -75.0), (known.lat[1], known.lon[1]), (np.nan, known.lon[2]), (known.lat[0], known.lon[0])]
    np.testing.assert_array_equal(np.stack([lat, lon], axis=1), [*expected, (np.nan, np.nan)])  # the last is padding
