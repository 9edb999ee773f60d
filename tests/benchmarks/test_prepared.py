"""Plain events through the night's stages: what the catalogue counts, and what histories hold."""

from __future__ import annotations

import h3
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from benchmarks.prepared import Stages
from chronotope.train.batches import users_of
from tests.benchmarks.checkins import checkin, frame

ROWS = [
    checkin("ann", "v1", 10, "a1"),
    checkin("ann", "v2", 11, "a1"),
    checkin("bob", "v1", 11, "b1"),
    checkin("ann", "v1", 30, "a2"),
    checkin("ann", "v2", 30, "a2"),  # in the same second, and after v1 in the file
]


@pytest.fixture
def stages(spark, defaults, tmp_path):
    return Stages(spark, defaults, tmp_path)


def test_the_catalogue_counts_the_events_of_the_frame(stages, defaults):
    catalogue = stages.catalogue(frame(ROWS))
    assert (catalogue.item_ids, catalogue.categories) == (["v1", "v2"], ["kind 1", "kind 2"])
    assert np.allclose(catalogue.lat, [40.71, 40.72])
    events = catalogue.popularity[: len(catalogue.dayparts)].sum(axis=0)
    assert np.asarray(events).ravel().tolist() == [3, 2]
    hours = np.array([[20, 19, 0], [19, 0, np.nan]]) + 1 / 3600  # until the second after the last event
    assert catalogue.trending == pytest.approx(np.nansum(0.5 ** (hours / 24 / 14), axis=1))
    assert catalogue.transitions.toarray().tolist() == [[0, 2], [0, 0]]
    coarse = defaults.ingest.region_resolution
    assert catalogue.regions == sorted({h3.latlng_to_cell(lat, -74.0, coarse) for lat in (40.71, 40.72)})
    assert not catalogue.embedding.any(), "no text, no encoder"


def test_items_are_described_by_what_may_describe_them(stages):
    later = frame([checkin("ann", "v1", 99, "a3") | {"category": "renamed", "lat": 41.0}])
    told, untold = (stages.catalogue(pd.concat([frame(ROWS), later]), described=of) for of in (None, frame(ROWS)))
    assert (told.categories[0], untold.categories[0]) == ("renamed", "kind 1")
    assert (told.lat[0], untold.lat[0]) == (41.0, 40.71)
    assert told.popularity.sum() == untold.popularity.sum() == 2 * 6, "over all regions, and in each"


def test_texts_are_embedded_by_the_product(stages):
    catalogue = stages.catalogue(frame(ROWS).assign(text=["Bar", "Train Station", "Bar", "Bar", "Train Station"]))
    assert catalogue.embedding.shape == (2, 384)
    assert np.allclose(np.linalg.norm(catalogue.embedding, axis=1), 1, atol=1e-5)
    assert catalogue.embedding[0] @ catalogue.embedding[1] < 0.9


def test_histories_are_in_order_with_ties_as_in_the_frame(stages):
    files = stages.history_files(frame(ROWS))
    rows = pd.concat([pq.read_table(file).to_pandas() for file in files]).set_index("user_id")
    assert rows["item_id"].map(list).to_dict() == {"ann": ["v1", "v2", "v1", "v2"], "bob": ["v1"]}
    assert rows["slot"]["ann"].tolist() == [6, 7, 26, 26], "local hours of the week"
    assert rows["gap_s"]["ann"].tolist()[1:] == [3600, 19 * 3600, 0]


def test_users_come_in_no_order(stages):
    named = frame([checkin(f"u{n:03d}", "v1", n, f"{n}") for n in range(60)])
    of_files = [pq.read_table(file)["user_id"].to_pylist() for file in stages.history_files(named)]
    assert sorted(user for users in of_files for user in users) == sorted(named["user_id"])
    assert all(users != sorted(users) for users in of_files if len(users) > 9)
    assert max(map(len, of_files)) > 9


def test_a_query_knows_its_events_and_no_other(stages):
    plain = frame(ROWS)
    known = stages.known(plain, np.array([2, 0, 0, 0]), np.array([2, 4, 0, 3]), 3)
    assert known["item_id"].map(list).tolist() == [["v1", "v1", "v2"], [], ["v1"]]
    assert known["gap_s"][0].tolist()[1:] == [20 * 3600, 0], "measured between what is known"
    users = users_of(known, stages.catalogue(plain))
    assert users.length.tolist() == [3, 0, 1]
    assert users.item.tolist() == [[0, 0, 1], [-1, -1, -1], [0, -1, -1]]


def test_an_order_is_enough(stages):
    plain = pd.DataFrame({"user_id": [7, 7, 7, 8], "item_id": [5, 6, 5, 6], "order": [3, 1, 1, 2]})
    catalogue = stages.catalogue(plain)
    assert catalogue.item_ids == ["5", "6"]
    assert np.isnan(catalogue.lat).all()
    assert catalogue.regions == []
    assert np.asarray(catalogue.popularity.sum(axis=0)).ravel().tolist() == [2, 2]
    known = stages.known(plain, np.array([0, 0, 0]), np.array([0, 1, 2]), 1)
    assert known["item_id"][0].tolist() == ["6", "5", "5"]
    assert known["slot"][0].tolist() == [-1, -1, -1], "no clock"
