"""The scorer: additive, invariant to padding, order and batch, blind to what is not known, the same after saving."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from chronotope.errors import ModelError
from chronotope.store.models import StoredModel
from chronotope.train.barred import NEVER
from chronotope.train.examples import FILLERS
from chronotope.train.known import taken
from chronotope.train.scorer import BEFORE, PARTS, SpaceTimeScorer
from chronotope.train.space_time import SpaceTime
from chronotope.train.tables import item_tables
from chronotope.train.untimed import is_untimed
from tests.train import chance, small
from tests.train.test_barred import met_by
from tests.train.test_memory import poisoned

WORLD = chance.world(7)


def make(defaults, known, **changes):
    torch.manual_seed(0)
    settings = defaults.train.model_copy(update={"dim": 8, "hidden": 6, "trust_hidden": 8} | changes)
    model = SpaceTime(known, item_tables(known, torch.device("cpu")), settings, (30.0, 3.0))
    with torch.no_grad():  # weights far from their start, so that every part says something
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return SpaceTimeScorer("m", known, model)


@pytest.fixture(scope="module")
def scorer(defaults):
    return make(defaults, WORLD[0])


@pytest.fixture(
    scope="module",
    params=[
        {"encoder": "lstm"},
        {"encoder": "gru"},
        {"encoder": "transformer"},
        {"half_lives_steps": [1.0, 9.0]},
        {"kl_weight": 0.1},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def any_scorer(defaults, request):
    return make(defaults, WORLD[0], **request.param)


def scores(scorer, users, queries):
    return scorer.score(scorer.encode(users, queries), users, queries)


def close(expected):
    """Within 1e-5, relative where scores are large."""
    return pytest.approx(expected, rel=1e-5, abs=1e-5 * max(1.0, float(np.abs(expected).max())))


def test_shapes_and_numbers(scorer):
    found = scores(scorer, *WORLD[1:])
    assert (found.shape, found.dtype) == ((len(WORLD[2].user), 7), np.float32)
    assert np.isfinite(found).all()


def test_parts_add_up_to_the_score(any_scorer):
    _, users, queries = WORLD
    states = any_scorer.encode(users, queries)
    items = np.tile(np.arange(7), (len(queries.user), 1))
    parts = any_scorer.parts(states, users, queries, items)
    assert tuple(parts) == PARTS
    assert sum(parts.values()) == pytest.approx(any_scorer.score(states, users, queries), abs=1e-4)
    assert all(np.abs(values).max() > 1e-3 for values in parts.values())


@pytest.mark.parametrize("switch", ["sequence", "memory"])
def test_parts_add_up_when_half_of_the_model_is_off(defaults, switch):
    _, users, queries = WORLD
    off = make(defaults, WORLD[0], **{switch: False})
    states = off.encode(users, queries)
    parts = off.parts(states, users, queries, np.tile(np.arange(7), (len(queries.user), 1)))
    assert sum(parts.values()) == pytest.approx(off.score(states, users, queries), abs=1e-4)
    assert not parts["interest" if switch == "sequence" else "habit"].any()


@pytest.mark.parametrize("columns", [None, [0, 2, 3, 6]])
@pytest.mark.parametrize("memory", [True, False])
def test_where_nobody_comes_back_what_was_met_is_never_next(defaults, memory, columns):
    """Its score, and the parts of it; those of all other items stay."""
    known, users, queries = chance.world(7)
    queries = taken(queries, np.flatnonzero(queries.slot >= 0))
    among = None if columns is None else np.array(columns)
    items = np.tile(np.arange(7) if among is None else among, (len(queries.user), 1))
    with_repeats, without = (make(defaults, known, memory=memory, repeats=repeats) for repeats in (True, False))
    states = without.encode(users, queries)
    before, after = (scorer.score(states, users, queries, among) for scorer in (with_repeats, without))
    met = np.array([[item in met_by(users, queries, q) for item in row] for q, row in enumerate(items)])
    assert met.any()
    assert (after[met] == NEVER).all()
    assert (after[~met] == before[~met]).all()
    parts = without.parts(states, users, queries, items, among)
    assert sum(parts.values())[met] == pytest.approx(NEVER)
    assert sum(parts.values())[~met] == pytest.approx(after[~met], abs=1e-4)


def test_the_next_step_at_a_time_untold_is_at_no_item_that_was_met(defaults):
    known, users, queries = chance.world(7)
    untold = taken(queries, np.flatnonzero(is_untimed(users, queries)))
    assert len(untold.user)
    shares = np.exp(scores(make(defaults, known, repeats=False), users, untold))
    met = [list(met_by(users, untold, q)) for q in range(len(shares))]
    assert any(met)
    for row, of_query in zip(shares, met, strict=True):
        assert row[of_query] == pytest.approx(0.0, abs=1e-12)


def test_interest_speaks_of_items_that_the_user_has_not_met(scorer):
    """Of the others memory speaks, and what their vectors say is no part of the score."""
    _, users, queries = WORLD
    items = np.tile(np.arange(7), (len(queries.user), 1))
    interest = scorer.parts(scorer.encode(users, queries), users, queries, items)["interest"]
    steps = np.arange(users.item.shape[1])
    for q, user in enumerate(queries.user):
        hidden = (steps >= queries.hidden_from[q]) & (steps < queries.hidden_to[q])
        known = (steps < min(queries.known_steps[q], users.length[user])) & ~hidden
        met = np.isin(np.arange(7), users.item[user, known])
        assert not interest[q, met].any()
        assert interest[q, ~met].all()


def test_parts_are_those_of_the_batch_that_they_are_asked_of(scorer):
    """Also when another batch was scored in between."""
    _, users, queries = WORLD
    one, other = (taken(queries, rows) for rows in (np.arange(4, 8), np.arange(4)))
    states = scorer.encode(users, one)
    items = np.tile(np.arange(7), (4, 1))
    expected = scorer.score(states, users, one)
    scores(scorer, users, other)
    assert sum(scorer.parts(states, users, one, items).values()) == pytest.approx(expected, abs=1e-4)
    again = scorer.parts(states, users, other, items)
    assert np.abs(sum(again.values()) - expected).max() > 1e-2


@pytest.mark.parametrize("columns", [[2], [0, 3, 6], list(range(7))])
def test_asked_about_some_items_it_says_the_same_of_them(any_scorer, columns):
    _, users, queries = WORLD
    states = any_scorer.encode(users, queries)
    among, items = np.array(columns), np.tile(columns, (len(queries.user), 1))
    of_all, parts = any_scorer.score(states, users, queries), any_scorer.parts(states, users, queries, items)
    assert any_scorer.score(states, users, queries, among) == close(of_all[:, among])
    for name, values in any_scorer.parts(states, users, queries, items, among).items():
        assert values == close(parts[name])


def test_parts_of_no_item_are_zero(scorer):
    _, users, queries = WORLD
    some = taken(queries, np.array([3]))
    parts = scorer.parts(scorer.encode(users, some), users, some, np.array([[1, -1]]))
    assert all(values[0, 1] == 0.0 for values in parts.values())


def test_padding_does_not_change_a_score(any_scorer):
    _, users, queries = WORLD
    n, length = 40 - users.item.shape[1], len(users.user_ids)
    wider = {
        name: np.concatenate([getattr(users, name), np.full((length, n), filler, getattr(users, name).dtype)], axis=1)
        for name, filler in FILLERS.items()
    }
    padded = dataclasses.replace(users, **wider)
    assert scores(any_scorer, padded, queries) == close(scores(any_scorer, users, queries))


def test_batches_and_their_order_do_not_change_a_score(any_scorer):
    _, users, queries = WORLD
    together = scores(any_scorer, users, queries)
    order = np.random.default_rng(0).permutation(len(queries.user))
    assert scores(any_scorer, users, taken(queries, order)) == close(together[order])
    for part in np.array_split(order, 6):
        assert scores(any_scorer, users, taken(queries, part)) == close(together[part])
    alone = np.concatenate([scores(any_scorer, users, taken(queries, np.array([q]))) for q in order])
    assert alone == close(together[order])


@limits(max_examples=10)
@given(st.integers(0, 10_000))
def test_what_is_not_known_changes_nothing(any_scorer, seed):
    random = np.random.default_rng(seed)
    users = small.users([chance.history(f"u{n}", 9, random) for n in range(3)], WORLD[0])
    queries = small.queries(*[chance.query(n, int(random.integers(10)), users, random) for n in range(3)])
    clean = scores(any_scorer, users, queries)
    assert scores(any_scorer, poisoned(users, queries), queries) == close(clean)


def test_users_without_history_differ_by_time_and_place_only(scorer):
    known = WORLD[0]
    asked = [{"slot": 5}, {"slot": 5, "user": 1}, {"slot": 100}, {"slot": 5, "region": 1}]
    nobodies = small.users([small.history("nobody", []), small.history("no one", [])], known)
    found = scores(scorer, nobodies, small.queries(*asked))
    assert found[0] == close(found[1])
    assert np.abs(found[0] - found[2]).max() > 1e-3
    assert np.abs(found[0] - found[3]).max() > 1e-3


def test_previous_known_without_a_step_is_nothing_known(scorer):
    nobody = small.users([small.history("nobody", [])], WORLD[0])
    told, hidden = (scores(scorer, nobody, small.queries({"previous_known": value})) for value in (True, False))
    assert told == close(hidden)


def test_saving_and_loading_gives_equal_scores(defaults, scorer, tmp_path):
    settings = defaults.train.model_copy(update={"dim": 8, "hidden": 6, "trust_hidden": 8})
    scorer.save(tmp_path / "m", {"settings": settings.model_dump()})
    loaded = SpaceTimeScorer.load(tmp_path / "m")
    assert loaded.model_id == "m"
    assert (scores(loaded, *WORLD[1:]) == scores(scorer, *WORLD[1:])).all()


def test_a_model_of_another_version_is_refused(defaults, scorer):
    settings = defaults.train.model_copy(update={"dim": 9, "hidden": 6}).model_dump()
    about = {"kind": "space_time", "model_id": "m", "half_lives_days": [30.0, 3.0], "settings": settings}
    with pytest.raises(ModelError, match="run stage train again"):
        SpaceTimeScorer.of(StoredModel(about, scorer.model.state_dict(), WORLD[0]))


@pytest.mark.parametrize("absent", [*([name] for name in BEFORE), [*BEFORE]], ids="-".join)
def test_a_model_of_before_a_setting_was_there_is_read_as_it_was(defaults, scorer, absent):
    settings = defaults.train.model_copy(update={"dim": 8, "hidden": 6, "trust_hidden": 8}).model_dump()
    for name in absent:
        del settings[name]
    about = {"kind": "space_time", "model_id": "m", "half_lives_days": [30.0, 3.0], "settings": settings}
    read = SpaceTimeScorer.of(StoredModel(about, scorer.model.state_dict(), WORLD[0]))
    assert (scores(read, *WORLD[1:]) == scores(scorer, *WORLD[1:])).all()


def bare(n_items=1):
    """A catalogue without places, regions, texts and categories."""
    known = small.catalogue(n_items=n_items, regions=("",), n_texts=1, places=False)
    return dataclasses.replace(
        known, regions=[], region=np.full(n_items, -1), categories=[""] * n_items,
        embedding=np.zeros((n_items, 1), np.float32), popularity=known.popularity[:2],
    )  # fmt: skip


@pytest.mark.parametrize("n_items", [1, 3])
def test_nothing_but_who_and_what(defaults, n_items):
    """No clock, place, region, text or category; with and without a history."""
    known = bare(n_items)
    rows = [small.history("u", [0, 0, n_items - 1], slot=np.full(3, -1)), small.history("nobody", [])]
    users = small.users(rows, known)
    asked = small.queries({"known_steps": 3, "slot": -1, "previous_known": True}, {"user": 1, "slot": -1})
    made = make(defaults, known)
    states = made.encode(users, asked)
    found = made.score(states, users, asked)
    assert np.isfinite(found).all()
    parts = made.parts(states, users, asked, np.tile(np.arange(n_items), (2, 1)))
    assert sum(parts.values()) == pytest.approx(found, abs=1e-4)


def test_no_queries_and_nobody(defaults, scorer):
    nobody = small.users([small.history("nobody", [])], WORLD[0])
    none = taken(small.queries({}), np.empty(0, np.int64))
    assert scores(scorer, nobody, none).shape == (0, 7)
