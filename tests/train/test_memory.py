"""Memory features, against a plain-Python twin; what a query may not know does not reach them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from chronotope.train import memory as remembered
from chronotope.train.inputs import batch_of
from chronotope.train.kernels import KERNELS
from chronotope.train.memory import ABOUT, COMMON, EVERYBODY, FEATURES, OWN, memory
from chronotope.train.scoring import Counted
from chronotope.train.tables import item_tables
from tests.oracles import train as oracle
from tests.train import chance, small

CPU = torch.device("cpu")


def memory_of(known, users, queries, eras=()):
    tables = item_tables(known, CPU, eras)
    return memory(batch_of(users, queries, tables, CPU), tables)


def features_of(found):
    """All features of all pairs, [M, F]."""
    return found.features(torch.arange(len(found.item)))


def by_item(found, query=0):
    """The features of the items of a query: item to {feature: value}."""
    mine = found.query == query
    rows = zip(found.item[mine].tolist(), features_of(found)[mine].tolist(), strict=True)
    return {item: dict(zip(FEATURES, values, strict=True)) for item, values in rows}


def of_one(row, known=None, **asked):
    known = known or small.catalogue()
    return by_item(memory_of(known, small.users([row], known), small.queries(asked)))


@given(st.integers(0, 10_000), st.booleans())
def test_every_feature_is_the_oracles(seed, places):
    known, users, queries = chance.world(seed, places)
    found = memory_of(known, users, queries)
    for q, user in enumerate(queries.user):
        steps = oracle.steps_of(users, user, known)
        query, got = oracle.query_of(queries, q, steps), by_item(found, q)
        personal = oracle.personal(steps, query, known.categories, got)
        nothing = {} if oracle.kernels(steps, query) else dict.fromkeys(FEATURES, 0.0)
        for item, features in got.items():
            expected = nothing | personal[item] | oracle.everybody(steps, query, known, item)
            for name, value in features.items():
                # What depends on places inherits half a metre of fp32, which the logarithm of small sums enlarges.
                close = 0.03 if FEATURES[name] == "near" else 2e-4
                assert value == pytest.approx(expected[name], abs=close), (q, item, name)
        assert found.about[q].tolist() == pytest.approx(oracle.at_large(steps, query), abs=1e-5)


@given(st.integers(0, 10_000), st.booleans())
def test_own_features_are_of_the_pairs_that_were_met(seed, places):
    known, users, queries = chance.world(seed, places)
    found = memory_of(known, users, queries)
    features, pairs = features_of(found), torch.arange(len(found.item))
    assert (found.own.shape, found.common.shape) == ((len(found.met), len(OWN)), (len(pairs), len(COMMON)))
    assert torch.equal(features[:, list(FEATURES).index("seen")] > 0, found.is_met(pairs))
    assert found.is_met(pairs).nonzero()[:, 0].tolist() == found.met.tolist()
    assert not features[~found.is_met(pairs), : len(OWN)].any()
    assert torch.equal(found.features(pairs.flip(0)), features.flip(0))


@given(st.integers(0, 10_000), st.booleans())
def test_the_candidates_are_the_oracles_each_once(seed, places):
    known, users, queries = chance.world(seed, places)
    found = memory_of(known, users, queries)
    pairs = list(zip(found.query.tolist(), found.item.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    for q, user in enumerate(queries.user):
        steps = oracle.steps_of(users, user, known)
        expected = oracle.candidates(steps, oracle.query_of(queries, q, steps), known)
        assert {item for query, item in pairs if query == q} == expected


def test_all_features_are_named_once_and_have_a_part():
    assert len(FEATURES) == 2 * len(KERNELS) + 2 + len(remembered.BY_CATEGORY) + len(EVERYBODY)
    assert set(FEATURES.values()) == {"habit", "recent", "this_time", "next", "near", "taste", "popular"}


@pytest.mark.parametrize("limit", [1, 20])
def test_groups_of_queries_change_nothing(limit, monkeypatch):
    known, users, queries = chance.world(5)
    whole = memory_of(known, users, queries)
    monkeypatch.setattr(remembered, "KERNEL_STEPS", limit)
    apart = memory_of(known, users, queries)
    assert torch.allclose(apart.about, whole.about)
    for q in range(len(queries.user)):
        one, other = by_item(apart, q), by_item(whole, q)
        assert one.keys() == other.keys()
        assert all(one[item] == pytest.approx(other[item], abs=1e-5) for item in one)


def test_groups_are_bounded_by_what_the_user_with_most_items_takes(monkeypatch):
    known = small.catalogue(n_items=40)
    rows = [small.history("one", [0]), small.history("many", list(range(40)))]
    queries = small.queries(*[{"known_steps": 1}] * 90)
    batch = batch_of(small.users(rows, known), queries, item_tables(known, CPU), CPU)
    monkeypatch.setattr(remembered, "KERNEL_STEPS", 400)
    groups = [len(group) for group, _ in remembered.chunks(batch)]
    assert sum(groups) == 90
    assert max(groups) * batch.own.shape[1] <= 400


def test_of_items_that_are_not_asked_about_only_those_met_are_spoken_of():
    known, users, queries = chance.world(3)
    tables = item_tables(known, CPU)
    batch = batch_of(users, queries, tables, CPU)
    whole, some = memory(batch, tables), memory(batch, tables, torch.tensor([1, 4]))
    kept = whole.is_met(torch.arange(len(whole.item))) | torch.isin(whole.item, torch.tensor([1, 4]))
    assert not kept.all()
    assert torch.equal(some.query, whole.query[kept])
    assert torch.equal(some.item, whole.item[kept])
    assert torch.equal(features_of(some), features_of(whole)[kept])


def test_without_history_only_the_popular_are_spoken_of():
    known = small.counted(small.catalogue(), [small.history("v", [1, 2, 1])])
    found = of_one(small.history("u", []), known, previous_known=True)
    assert set(found) == {1, 2}
    told = {name for features in found.values() for name, value in features.items() if value}
    assert told == {"popular", "popular_daypart", "visits", "visits_of_category", "trending"}


def test_no_query_has_no_memory():
    known = small.catalogue()
    asked = small.queries({})
    none = dataclasses.replace(asked, **{f.name: getattr(asked, f.name)[:0] for f in dataclasses.fields(asked)})
    found = memory_of(known, small.users([small.history("u", [0])], known), none)
    assert (features_of(found).shape, found.about.shape) == ((0, len(FEATURES)), (0, len(ABOUT)))


def test_a_hidden_step_before_brings_no_followers_and_no_neighbours():
    events = small.counted(small.catalogue(), [small.history("v", [1, 2, 1, 2])])
    known = dataclasses.replace(
        events,
        popularity=sparse.csr_matrix(events.popularity.shape, dtype=np.float32),
        trending=events.trending * 0,
    )
    asked = {"known_steps": 2, "at_s": small.MONDAY_S + 7200}
    told, hidden = (of_one(small.history("u", [0, 1]), known, **asked, previous_known=value) for value in (True, False))
    assert set(told) == {0, 1, 2}
    assert told[2]["following"] == pytest.approx(np.log1p(2))
    assert set(hidden) == {0, 1}
    assert not any(hidden[item][name] for item in hidden for name in (*oracle.TOLD, "after_sum"))


def test_counts_are_those_of_the_era():
    early, late = small.MONDAY_S, small.MONDAY_S + small.DAY_S
    known = small.counted(small.catalogue(), [small.history("v", [0, 1] * 3)])
    nothing = [sparse.csr_matrix(m.shape, dtype=np.float32) for m in (known.popularity, known.transitions)]
    eras = [
        Counted(early, *nothing, known.visitors * 0, known.trending * 0),
        Counted(late, known.popularity, known.transitions, known.visitors, known.trending),
    ]
    users = small.users([small.history("u", [0], [early + 1])], known)
    asked = [{"known_steps": 1, "at_s": at_s, "previous_known": True} for at_s in (early + 10, late - 1, late)]
    found = memory_of(known, users, small.queries(*asked), eras)
    following = [by_item(found, q).get(1, {}).get("following", 0.0) for q in range(3)]
    assert following == pytest.approx([0.0, 0.0, np.log1p(3)])


def poisoned(users, queries):
    """The same users, with everything changed that no query knows: `queries` has one per user."""
    step = np.arange(users.item.shape[1])
    unknown = step >= queries.known_steps[:, None]
    unknown |= (step >= queries.hidden_from[:, None]) & (step < queries.hidden_to[:, None])
    changes = {"item": 5, "action": 0, "slot": 99, "region": 0, "lat": 41.0, "lon": -73.0, "distance_m": 7.0}
    changed = {name: np.where(unknown, value, getattr(users, name)) for name, value in changes.items()}
    return dataclasses.replace(users, **changed, at_s=users.at_s + 777.0 * unknown, gap_s=users.gap_s + 9 * unknown)


@given(st.integers(0, 10_000))
def test_what_is_not_known_changes_nothing(seed):
    known, users, _ = chance.world(seed)
    random = np.random.default_rng(seed)
    asked = [chance.query(n, int(random.integers(steps + 1)), users, random) for n, steps in enumerate(chance.LENGTHS)]
    queries = small.queries(*asked)
    clean, other = memory_of(known, users, queries), memory_of(known, poisoned(users, queries), queries)
    assert torch.allclose(other.about, clean.about)
    for q in range(len(asked)):
        one, same = by_item(other, q), by_item(clean, q)
        assert one.keys() == same.keys()
        assert all(one[item] == pytest.approx(same[item], abs=1e-5) for item in same)
