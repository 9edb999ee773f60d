"""The model: what its states and answers may read, and what its settings switch off."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from chronotope.train.barred import met_items
from chronotope.train.inputs import batch_of
from chronotope.train.means import step_means
from chronotope.train.memory import FEATURES
from chronotope.train.scoring import Counted
from chronotope.train.space_time import Answer, SpaceTime
from chronotope.train.tables import item_tables
from tests.train import chance, small

CPU = torch.device("cpu")


def model_of(defaults, known, **changes):
    torch.manual_seed(0)
    settings = defaults.train.model_copy(update={"dim": 8, "hidden": 6, "trust_hidden": 8} | changes)
    made = SpaceTime(known, item_tables(known, CPU), settings, (30.0, 3.0)).requires_grad_(False).eval()
    for parameter in made.parameters():  # weights far from their start, so that every part says something
        parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def answered(model, known, users, queries):
    """The states and the answer of a batch."""
    tables = item_tables(known, CPU)
    batch = batch_of(users, queries, tables, CPU)
    vectors = model.vectors()
    states = model.states(batch, vectors)
    return states, model.answer(batch, states, vectors, model.remember(batch, tables))


def test_shapes_and_numbers(defaults):
    known, users, queries = chance.world(0)
    states, answer = answered(model_of(defaults, known), known, users, queries)
    assert states.shape == (len(queries.user), 6 + 2 * 4)
    assert answer.wanted.shape == (len(queries.user), 8)
    assert not answer.divergence.any()
    assert all(torch.isfinite(tensor).all() for tensor in (states, *vars(answer).values()))


def test_a_state_is_zero_where_nothing_is_known_or_some_is_hidden(defaults):
    known, users, queries = chance.world(4)
    states, _ = answered(model_of(defaults, known), known, users, queries)
    hidden = queries.hidden_to > queries.hidden_from
    nothing = queries.known_steps == 0
    assert hidden.any()
    assert not states[torch.from_numpy(hidden | nothing), :6].any()
    assert states[torch.from_numpy(~(hidden | nothing)), :6].abs().amax(dim=1).min() > 0


def test_means_by_steps_are_kept_beside_the_encoders_state_and_are_asked(defaults):
    known, users, queries = chance.world(4)
    model = model_of(defaults, known, half_lives_steps=[1.0, 9.0], max_steps=3)
    batch, vectors = batch_of(users, queries, item_tables(known, CPU), CPU), model.vectors()
    states = model.states(batch, vectors)
    assert states.shape[1] == 6 + 2 * 8 + 2 * 4
    met = vectors[batch.item.clamp(min=0)] * (batch.item >= 0)[..., None]
    told = (batch.known > 0) & (batch.hidden_to == batch.hidden_from)
    expected = batch.at_last(step_means(met, batch.item >= 0, [1.0, 9.0], 3)) * told[:, None]
    assert torch.equal(states[:, 6:22], expected)
    assert expected.any()
    without = torch.cat([states[:, :6], torch.zeros(len(states), 16), states[:, 22:]], dim=1)
    recalled = model.remember(batch, item_tables(known, CPU))
    wanted = [model.answer(batch, of, vectors, recalled).wanted for of in (states, without)]
    assert ((wanted[0] - wanted[1]).abs().amax(dim=1) > 0)[told].any()
    assert torch.equal(wanted[0][~told], wanted[1][~told])


def test_where_no_item_has_a_text_looking_at_texts_would_tell_nothing(defaults):
    known, users, queries = chance.world(3)
    known = dataclasses.replace(known, embedding=np.zeros_like(known.embedding))
    model = model_of(defaults, known)
    assert not model.has_text
    without = answered(model, known, users, queries)
    model.has_text = True
    states, answer = answered(model, known, users, queries)
    assert torch.equal(states, without[0])
    assert torch.equal(answer.wanted, without[1].wanted)
    assert model_of(defaults, chance.world(3)[0]).has_text


def test_what_learned_without_texts_takes_nothing_from_those_that_come_later(defaults):
    known, users, queries = chance.world(3)
    bare = dataclasses.replace(known, embedding=np.zeros_like(known.embedding))
    models = [SpaceTime(of, item_tables(of, CPU), defaults.train, (30.0, 3.0)).eval() for of in (bare, known)]
    models[1].load_state_dict(models[0].state_dict())
    assert models[1].has_text
    found = [answered(model, known, users, queries)[1] for model in models]
    assert torch.equal(found[0].wanted, found[1].wanted)
    assert torch.equal(models[0].vectors(), models[1].vectors())


def test_without_a_sequence_memory_speaks_alone(defaults):
    known, users, queries = chance.world(1)
    _, answer = answered(model_of(defaults, known, sequence=False), known, users, queries)
    assert not answer.wanted.any()
    assert answer.said.abs().max() > 0


def test_without_memory_the_sequence_speaks_alone(defaults):
    known, users, queries = chance.world(1)
    _, answer = answered(model_of(defaults, known, memory=False), known, users, queries)
    assert len(answer.said) == 0
    assert answer.wanted.abs().max() > 0


@pytest.mark.parametrize("has_memory", [True, False])
def test_where_nobody_comes_back_what_was_met_is_barred_and_the_answer_is_the_same(has_memory, defaults):
    known, users, queries = chance.world(1)
    tables = item_tables(known, CPU)
    batch = batch_of(users, queries, tables, CPU)
    with_repeats, without = (model_of(defaults, known, memory=has_memory, repeats=r) for r in (True, False))
    assert len(with_repeats.remember(batch, tables).barred.query) == 0
    remembered = without.remember(batch, tables)
    assert all(torch.equal(*pair) for pair in zip(remembered.barred, met_items(batch), strict=True))
    assert len(remembered.barred.query) > 0
    (_, one), (_, other) = (answered(model, known, users, queries) for model in (with_repeats, without))
    assert torch.equal(one.wanted, other.wanted)
    assert torch.equal(one.said, other.said)


@pytest.mark.parametrize("encoder", ["lstm", "gru", "transformer"])
def test_every_encoder_answers(defaults, encoder):
    known, users, queries = chance.world(2)
    states, answer = answered(model_of(defaults, known, encoder=encoder), known, users, queries)
    assert torch.isfinite(answer.wanted).all()
    assert states[:, :6].abs().max() > 0


def test_a_gaussian_state_costs_its_divergence(defaults):
    known, users, queries = chance.world(2)
    model = model_of(defaults, known, kl_weight=0.1)
    assert answered(model, known, users, queries)[1].divergence.min() > 0
    once, again = (answered(model, known, users, queries)[1].wanted for _ in range(2))
    assert torch.equal(once, again)


def context_numbers(answer: Answer):
    """The numbers of the context between region and memory: told, timed, gap, fresh, placed."""
    return answer.context[:, -8:-3]


def test_a_hidden_step_before_hides_when_and_where_it_was(defaults):
    known = small.catalogue()
    rows = [small.history("u", [0, 1, 2], small.MONDAY_S + small.HOUR_S * np.arange(3))]
    base = {"known_steps": 3, "slot": 9, "previous_known": False}
    asked = [base | {"at_s": small.MONDAY_S + hours * small.HOUR_S} for hours in (3, 9)]
    _, answer = answered(model_of(defaults, known), known, small.users(rows, known), small.queries(*asked))
    assert context_numbers(answer).tolist() == [[0.0, 1.0, 0.0, 0.0, 0.0]] * 2
    told = small.queries(*[each | {"previous_known": True} for each in asked])
    _, answer = answered(model_of(defaults, known), known, small.users(rows, known), told)
    gaps = context_numbers(answer)[:, 2]
    assert 0 < gaps[0] < gaps[1] < 1


def test_an_untold_time_is_told_apart_from_a_told_one(defaults):
    known = small.catalogue()
    users = small.users([small.history("u", [0, 1])], known)
    asked = [{"known_steps": 2, "at_s": users.at_s[0, 1], "slot": slot, "previous_known": True} for slot in (1, -1)]
    _, answer = answered(model_of(defaults, known), known, users, small.queries(*asked))
    assert context_numbers(answer)[:, 1].tolist() == [1.0, 0.0]
    assert (answer.wanted[0] - answer.wanted[1]).abs().max() > 1e-3


def test_biases_are_told_from_what_was_popular_and_trending_by_each_era(defaults):
    known = small.catalogue()
    counted = small.counted(known, [small.history("v", [1, 2, 1])])
    faded = counted.trending * np.float32(0.5)
    eras = [
        Counted(-np.inf, known.popularity * 0, known.transitions, known.visitors * 0, known.trending * 0),
        Counted(9.0, counted.popularity, counted.transitions, counted.visitors, faded),
    ]
    model = model_of(defaults, known)
    model.popular.copy_(torch.tensor([2.0, 3.0]))
    none, some = model.biases(item_tables(known, CPU, eras)).tolist()
    assert none == pytest.approx([0.0] * 6, abs=1e-5)
    events = np.array([0, 2, 1, 0, 0, 0])
    share = (events + 1 / 3) / (3 + 2), (events / 2 + 1 / 3) / (1.5 + 2)
    assert some == pytest.approx(2 * np.log(6 * share[0]) + 3 * np.log(6 * share[1]), abs=1e-4)


def test_text_category_region_and_place_speak_for_an_item(defaults):
    known = small.catalogue(n_texts=3)
    model = model_of(defaults, known)
    model.item.weight.zero_()
    vectors = model.vectors()
    assert torch.pdist(vectors).min() > 1e-3
    alike = dataclasses.replace(known, lat=known.lat[[0] * 6], lon=known.lon[[0] * 6], region=known.region[[0] * 6])
    twin = model_of(defaults, alike)
    twin.item.weight.zero_()
    assert torch.allclose(twin.vectors()[0], twin.vectors()[3], atol=1e-6)  # the same text and category


def test_there_is_a_weight_for_every_feature(defaults):
    model = model_of(defaults, small.catalogue())
    assert model.recall.fit.in_features == model.trust.of_features.in_features == len(FEATURES)


def test_without_vectors_of_their_own_items_are_what_is_told_of_them(defaults):
    known = small.catalogue(n_texts=3)
    alike = dataclasses.replace(known, lat=known.lat[[0] * 6], lon=known.lon[[0] * 6], region=known.region[[0] * 6])
    vectors = model_of(defaults, alike, own_vectors=False).vectors()
    assert torch.allclose(vectors[0], vectors[3], atol=1e-6)  # the same text and category
    assert torch.pdist(vectors[:3]).min() > 1e-3
