"""The catalogue: items met before the cut, and nothing that came after it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from chronotope.errors import DataError
from chronotope.train.catalogue import catalogue_of, transition_counts
from chronotope.train.histories import histories, item_steps
from chronotope.train.past import eras
from chronotope.train.scoring import MOST_FOLLOWERS
from tests.rows import MONDAY, NIGHT, frame
from tests.train.test_histories import HOUR, session, step

CUT = MONDAY + 100 * HOUR


def item(item_id, **fields):
    return {"item_id": item_id, "text_digest": f"d{item_id}", "first_seen": MONDAY} | fields


def embedding(item_id, *vector):
    return {"text_digest": f"d{item_id}", "model": "m", "embedding": list(vector), "night": NIGHT}


ITEMS = [
    item("b", category="tea", lat=1.0, lon=2.0, region="r2", language="Hani", available=False),
    item("a", available=True), item("never"),
]  # fmt: skip
EMBEDDINGS = [embedding("b", 0.0, 1.0), embedding("never", 1.0, 0.0)]
SESSIONS = [
    session("k1", step("1", 0, "a", region="r1"), step("2", 1, "b", region="r2"), step("3", 2, "a", slot=130)),
    session("k2", step("4", 50, "b"), step("5", 51, "undescribed", region="r1")),
]


@pytest.fixture(scope="module")
def known(_spark_session, defaults):
    return made(_spark_session, defaults, SESSIONS)


def made(spark, settings, sessions, cut=CUT):
    items, embeddings = frame(spark, "items", ITEMS), frame(spark, "item_embeddings", EMBEDDINGS)
    return catalogue_of(items, embeddings, frame(spark, "sessions", sessions), settings, cut)


def test_items_are_those_that_were_met_in_order(known):
    assert known.item_ids == ["a", "b", "undescribed"]
    assert known.categories == ["", "tea", ""]
    assert known.languages == ["Latn", "Hani", ""]
    assert known.regions == ["r1", "r2"]
    assert known.region.tolist() == [-1, 1, -1]
    assert known.gone.tolist() == [False, True, False]
    assert known.lat[1] == 1.0
    assert np.isnan(known.lat[[0, 2]]).all()
    assert known.embedding.tolist() == [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


def test_popularity_counts_every_region_and_each_one(known, defaults):
    dayparts = list(defaults.night.dayparts)
    night, day = dayparts.index("weekday_night"), dayparts.index("weekend_day")
    popularity = known.popularity.toarray()
    assert popularity.shape == (3 * len(dayparts), 3)
    assert popularity[[night, day]].tolist() == [[1, 2, 1], [1, 0, 0]]
    assert popularity[len(dayparts) + night].tolist() == [1, 0, 1]
    assert popularity[2 * len(dayparts) + night].tolist() == [0, 1, 0]
    assert popularity.sum() == 5 + 3
    assert known.daypart_of_slot[[0, 130]].tolist() == [night, day]


def test_visitors_are_counted_once_each(spark, defaults):
    back = session("k4", step("9", 60, "a"), user="v")
    visitors = made(spark, defaults, [*SESSIONS, back]).visitors
    assert visitors.tolist() == [2, 1, 1]


def test_an_event_counts_half_among_the_trending_after_fourteen_days(spark, defaults):
    sessions = [session("k", step("1", 0, "a", region="r1"), step("2", 1, "a", region="r2"), step("3", 14 * 24, "b"))]
    trending = made(spark, defaults, sessions, MONDAY + 28 * 24 * HOUR).trending
    assert trending.tolist() == pytest.approx([0.25 + 0.25 * 2 ** (1 / 336), 0.5])


def test_training_counts_the_same_from_histories(spark, defaults, tmp_path):
    """Last of its eras; a training query and one of the night then read the same features."""
    sessions = [*SESSIONS, session("k4", step("9", 60, "a", region="r2"), step("10", 61, "b"), user="v")]
    known = made(spark, defaults, sessions)
    histories(frame(spark, "sessions", sessions), 100).write.parquet(str(tmp_path / "histories"))
    files = sorted((tmp_path / "histories").glob("*.parquet"))
    counted = eras(files, known, CUT.replace(tzinfo=dt.UTC).timestamp(), 5 * HOUR.total_seconds())[-1]
    assert counted.popularity.toarray().tolist() == known.popularity.toarray().tolist()
    assert counted.transitions.toarray().tolist() == known.transitions.toarray().tolist()
    assert counted.visitors.tolist() == known.visitors.tolist() == [2, 2, 1]
    assert counted.trending.tolist() == pytest.approx(known.trending.tolist())


def test_transitions_stay_within_sessions(known):
    assert known.transitions.toarray().tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]


def test_what_comes_from_the_cut_on_changes_nothing(spark, defaults, known):
    later = session("k3", step("6", 100, "poison"), step("7", 101, "a"), user="v")
    running = SESSIONS[1] | {"steps": [*SESSIONS[1]["steps"], step("8", 100, "a")]}
    again = made(spark, defaults, [SESSIONS[0], running, later])
    assert again.item_ids == known.item_ids
    assert (again.popularity != known.popularity).nnz == 0
    assert (again.transitions != known.transitions).nnz == 0
    assert again.visitors.tolist() == known.visitors.tolist()
    assert again.trending.tolist() == known.trending.tolist()


def test_the_cut_itself_is_not_known(spark, defaults):
    assert made(spark, defaults, SESSIONS, MONDAY + HOUR).item_ids == ["a"]


def test_nothing_before_the_cut(spark, defaults):
    with pytest.raises(DataError, match="no event on an item before 2012-10-01"):
        made(spark, defaults, SESSIONS, MONDAY)


def test_only_the_likeliest_followers_are_kept(spark):
    pairs = [
        session(f"k{n}-{k}", step(f"{n}{k}a", 0, "x"), step(f"{n}{k}b", 1, f"y{n:03d}"))
        for n in range(MOST_FOLLOWERS + 2)
        for k in range(1 + (n == 51))
    ]
    rows = transition_counts(item_steps(frame(spark, "sessions", pairs))).collect()
    assert len(rows) == MOST_FOLLOWERS
    assert {row.item_id for row in rows} == {f"y{n:03d}" for n in [*range(MOST_FOLLOWERS - 1), 51]}
