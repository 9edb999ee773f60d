"""The scorer: additive, invariant to padding, order and batch, blind to the future, the same after saving."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from chronotope.train.inputs import batch_of, item_tables
from chronotope.train.layers import Waves
from chronotope.train.scorer import PARTS, SpaceTimeScorer
from chronotope.train.space_time import SpaceTime, decayed_means
from tests.oracles import train as oracle
from tests.train import small

CPU = torch.device("cpu")
ROWS = [small.history(f"u{n}", items) for n, items in enumerate([[0, 1, 2, 1], [5], [3, 3, 9, 4, 1, 0, 2], []])]


@pytest.fixture(scope="module")
def scorer(defaults):
    return make(defaults.train, small.counted(small.catalogue(), ROWS[:2]))


def make(train, known):
    torch.manual_seed(0)
    settings = train.model_copy(update={"dim": 8, "hidden": 6})
    model = SpaceTime(known, item_tables(known, CPU), settings, (30.0, 3.0))
    with torch.no_grad():  # weights far from their start, so that every part says something
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return SpaceTimeScorer("m", known, model)


def asked(user, known, **fields):
    at_s = small.MONDAY_S + 3600.0 * known
    return {"user": user, "known_steps": known, "at_s": at_s, "slot": known, "previous_known": known > 0} | fields


EVERY = [
    asked(user, known, region=known % 3 - 1, previous_known=bool(known % 2))
    for user, row in enumerate(ROWS)
    for known in range(len(row["item_id"]) + 1)
]


def scores(scorer, rows, *queries):
    users, asked_ = small.users(rows, scorer.catalogue), small.queries(*queries)
    return scorer.score(scorer.encode(users, asked_), users, asked_)


def test_shapes_and_numbers(scorer):
    found = scores(scorer, ROWS, *EVERY)
    assert (found.shape, found.dtype, bool(np.isfinite(found).all())) == ((len(EVERY), 6), np.float32, True)


def test_parts_add_up_to_the_score(scorer):
    users, queries = small.users(ROWS, scorer.catalogue), small.queries(*EVERY)
    states = scorer.encode(users, queries)
    items = np.tile(np.arange(6), (len(EVERY), 1))
    parts = scorer.parts(states, users, queries, items)
    assert tuple(parts) == PARTS
    assert sum(parts.values()) == pytest.approx(scorer.score(states, users, queries), abs=1e-4)
    assert all(np.abs(values).max() > 1e-3 for values in parts.values())


def test_parts_of_no_item_are_zero(scorer):
    users, queries = small.users(ROWS, scorer.catalogue), small.queries(asked(0, 2))
    parts = scorer.parts(scorer.encode(users, queries), users, queries, np.array([[1, -1]]))
    assert all(values[0, 1] == 0.0 for values in parts.values())


def test_batches_and_order_do_not_change_a_score(scorer):
    together = scores(scorer, ROWS, *EVERY)
    backwards = scores(scorer, ROWS[::-1], *[q | {"user": 3 - q["user"]} for q in EVERY[::-1]])[::-1]
    alone = np.concatenate([scores(scorer, [ROWS[q["user"]]], q | {"user": 0}) for q in EVERY])
    assert backwards == pytest.approx(together, abs=1e-5)
    assert alone == pytest.approx(together, abs=1e-5)


def test_padding_does_not_change_a_score(scorer):
    longer = [*ROWS, small.history("long", [0] * 40)]
    assert scores(scorer, longer, *EVERY) == pytest.approx(scores(scorer, ROWS, *EVERY), abs=1e-5)


def test_what_comes_after_the_known_steps_changes_nothing(scorer):
    other = [
        small.history(row["user_id"], [*[int(i[1:]) for i in row["item_id"]][:k], 4, 4, 0], region=["north"] * (k + 3))
        for row, k in zip(ROWS, [2, 1, 3, 0], strict=True)
    ]
    known = [
        small.history(r["user_id"], [int(i[1:]) for i in r["item_id"]][:k], region=["north"] * k)
        for r, k in zip(other, [2, 1, 3, 0], strict=True)
    ]
    queries = [asked(user, k) for user, k in enumerate([2, 1, 3, 0])]
    assert scores(scorer, other, *queries) == pytest.approx(scores(scorer, known, *queries), abs=1e-5)


def test_users_without_history_differ_by_time_and_place_only(scorer):
    nobody = small.history("nobody", [])
    alone = scores(
        scorer, [nobody], asked(0, 0, slot=5), asked(0, 0, slot=5), asked(0, 0, slot=100), asked(0, 0, region=1)
    )
    assert (alone[0] == alone[1]).all()
    assert (alone[0] != alone[2]).any()
    beside = scores(scorer, ROWS, asked(3, 0, slot=5))
    assert beside[0] == pytest.approx(alone[0], abs=1e-5)


def test_previous_known_without_a_step_is_nothing_known(scorer):
    told, hidden = (scores(scorer, ROWS, asked(3, 0, previous_known=value)) for value in (True, False))
    assert (told == hidden).all()


def test_a_hidden_previous_step_hides_when_it_was(scorer):
    """Only the ages of the steps may differ by when is asked; the gap since the last step is not told."""
    users = small.users(ROWS, scorer.catalogue)
    early, late = (small.queries(asked(0, 4, previous_known=False, at_s=small.MONDAY_S + s)) for s in (4e4, 9e4))
    answers = []
    for query in (early, late):
        batch = scorer.batch(users, query)
        answers.append(scorer.model.answer(batch, scorer.model.states(batch, scorer.vectors), scorer.vectors))
    assert torch.equal(answers[0].wanted, answers[1].wanted)
    assert torch.equal(answers[0].trust, answers[1].trust)


def test_saving_and_loading_gives_equal_scores(scorer, defaults, tmp_path):
    settings = defaults.train.model_copy(update={"dim": 8, "hidden": 6})
    scorer.save(tmp_path / "m", {"settings": settings.model_dump()})
    loaded = SpaceTimeScorer.load(tmp_path / "m")
    assert loaded.model_id == "m"
    assert (scores(loaded, ROWS, *EVERY) == scores(scorer, ROWS, *EVERY)).all()


def test_a_catalogue_of_one_item_without_places_regions_or_texts(defaults):
    known = small.catalogue(n_items=1, regions=("",), n_texts=1, places=False)
    bare = dataclasses.replace(
        known,
        regions=[],
        region=np.array([-1]),
        embedding=np.zeros((1, 1), np.float32),
        popularity=known.popularity[:2],
    )
    found = scores(make(defaults.train, bare), [small.history("u", [0, 0])], asked(0, 2), asked(0, 0))
    assert np.isfinite(found).all()


def test_means_agree_with_the_oracle(scorer):
    random = np.random.default_rng(3)
    at_s = small.MONDAY_S + np.cumsum(random.integers(0, 40, 6)) * 86_400.0
    row = small.history("u", [0, 1, 2, 1, 5, 3], at_s)
    users = small.users([row], scorer.catalogue)
    queries = small.queries(*[asked(0, known, at_s=at_s[-1]) for known in range(7)])
    batch = batch_of(users, queries, scorer.tables, CPU)
    found = decayed_means(batch, torch.from_numpy(scorer.catalogue.embedding), (30.0, 3.0)).numpy()
    vectors = scorer.catalogue.embedding[users.item[0]].tolist()
    assert (found[0] == 0).all()
    for known in range(1, 7):
        expected = [oracle.decayed_mean(vectors[:known], at_s[:known], days) for days in (30.0, 3.0)]
        assert found[known] == pytest.approx(np.concatenate(expected), abs=1e-5)


def test_a_mean_does_not_fade_with_a_long_absence(scorer):
    row = small.history("u", [0, 1], [small.MONDAY_S, small.MONDAY_S + 3000 * 86_400.0])
    state = scorer.encode(small.users([row], scorer.catalogue), small.queries(asked(0, 2)))[0]
    assert state[-4:] == pytest.approx(scorer.catalogue.embedding[1], abs=1e-6)


def test_places_are_told_apart_and_unknown_ones_are_zero():
    metres = torch.tensor([[0.0, 0.0, 0.0], [500.0, 0.0, 0.0], [float("nan")] * 3])
    waves = Waves(metres)(metres)
    assert waves.shape == (3, Waves.size)
    assert float((waves[0] - waves[1]).abs().max()) > 0.5
    assert float(waves[2].abs().max()) == 0.0
