"""When the next step comes: own gaps against a plain twin, probabilities, and what a model learns of them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.examples import Period
from chronotope.train.inputs import batch_of
from chronotope.train.moments import EDGES_S, GAPS_S, N_GAPS, Moments, foreseen, gap_of, own_gaps, surprise
from chronotope.train.tables import item_tables
from tests.oracles import train as oracle
from tests.train import chance, small
from tests.train.test_trainer import trainer_of

CPU = torch.device("cpu")


def batch_in(known, users, queries):
    return batch_of(users, queries, item_tables(known, CPU), CPU)


@given(st.integers(0, 10_000))
def test_own_gaps_are_the_oracles(seed):
    known, users, queries = chance.world(seed)
    found = own_gaps(batch_in(known, users, queries))
    for q, user in enumerate(queries.user):
        steps = oracle.steps_of(users, user, known)
        expected = oracle.own_gaps(steps, oracle.query_of(queries, q, steps), EDGES_S)
        assert found[q].tolist() == [pytest.approx(row, abs=1e-5) for row in expected]


def test_what_stands_for_a_gap_belongs_to_it():
    assert gap_of(torch.tensor(GAPS_S)).tolist() == list(range(N_GAPS))


@given(st.integers(0, 10_000))
def test_probabilities_add_up_to_one_and_do_not_read_the_time_asked_about(seed):
    known, users, queries = chance.world(seed)
    torch.manual_seed(0)
    moments, state = Moments(5), torch.randn(len(queries.user), 5)
    batch = batch_in(known, users, queries)
    log_p = moments(batch, state, own_gaps(batch))
    assert log_p.exp().sum(dim=1).tolist() == pytest.approx([1.0] * len(queries.user), abs=1e-5)
    later = batch_in(known, users, dataclasses.replace(queries, at_s=queries.at_s + 5000.0, slot=0 * queries.slot))
    assert torch.equal(moments(later, state, own_gaps(later)), log_p)


def test_a_gap_that_came_costs_its_logarithm_where_it_can_be_told():
    known = small.catalogue()
    users = small.users([small.history("u", [0, 1, 2])], known)
    base = {"known_steps": 2, "at_s": small.MONDAY_S + 2 * small.HOUR_S, "slot": 2, "previous_known": True}
    log_p = torch.log_softmax(torch.arange(float(N_GAPS)).expand(4, -1), dim=1)
    asked = [base, base | {"slot": -1}, base | {"previous_known": False}, base | {"at_s": small.MONDAY_S * 1.1}]
    batch = batch_in(known, users, small.queries(*asked))
    assert foreseen(batch).tolist() == [0]
    found = surprise(log_p[:1], batch.asking(foreseen(batch)))
    assert float(found) == pytest.approx(-float(log_p[0, gap_of(torch.tensor(3600.0))]))


def test_the_state_is_read_but_not_shaped():
    known, users, queries = chance.world(3)
    state = torch.randn(len(queries.user), 5, requires_grad=True)
    batch = batch_in(known, users, queries)
    moments = Moments(5)
    surprise(moments(batch, state, own_gaps(batch)), batch).backward()
    assert state.grad is None
    assert all(parameter.grad is not None for parameter in moments.parameters())


def test_after_one_thing_comes_the_next_soon_and_after_another_late(defaults, tmp_path):
    """Items 0 and 1 in turn at random hours: an hour after item 0, and thirteen hours after item 1."""
    random = torch.Generator().manual_seed(1)
    rows = []
    for n in range(12):
        gaps = [3600.0, 13 * 3600.0] * 15
        start = small.MONDAY_S + float(torch.rand(1, generator=random)) * small.DAY_S
        at_s = [start + sum(gaps[:k]) for k in range(31)]
        rows.append(small.history(f"u{n}", [0, 1] * 15 + [0], at_s))
    trainer = trainer_of(defaults, tmp_path, rows, mask_previous=0.0, mask_lately=0.0, batch_size=10)
    trainer.course = dataclasses.replace(trainer.course, training=Period(-math.inf, math.inf))
    for epoch in range(6):
        trainer.train(epoch)
    users = small.users(rows[:1], trainer.course.catalogue)
    last_s = rows[0]["occurred_at_s"][[28, 29]]
    asked = small.queries(*({"known_steps": n, "at_s": at_s, "slot": -1, "previous_known": True}
                            for n, at_s in zip((29, 30), last_s, strict=True)))  # fmt: skip
    batch, model = batch_in(trainer.course.catalogue, users, asked), trainer.model.eval()
    with torch.no_grad():
        log_p = model.gaps(batch, model.states(batch, model.vectors()), own_gaps(batch))
    assert log_p.argmax(dim=1).tolist() == gap_of(torch.tensor([3600.0, 13 * 3600.0])).tolist()
    assert log_p.max(dim=1).values.exp().min() > 0.6


def test_what_the_moments_learn_changes_nothing_in_the_model(defaults, tmp_path):
    """Of two trainings that differ in where the moments start, all else comes out the same."""
    found = []
    for start in (0.0, 3.0):
        trainer = trainer_of(defaults, tmp_path, dropout=0.0, trust_dropout=0.0)
        with torch.no_grad():
            trainer.model.moments.last.weight.add_(start)
        trainer.train(1)
        found.append(trainer.model.state_dict())
    differ = {name for name in found[0] if not torch.equal(found[0][name], found[1][name])}
    assert differ == {name for name in found[0] if name.startswith("moments.")}


def test_gaps_are_learned_from_whole_histories(defaults, tmp_path):
    """In windows of two steps no query sees a gap: what reads gaps would have nothing to learn from."""
    trainer = trainer_of(defaults, tmp_path, max_steps=2, trust_weight_decay=0.0)
    before = trainer.model.moments.first.weight[:, 5:].clone()
    trainer.train(1)
    assert (trainer.model.moments.first.weight[:, 5:] - before).abs().max() > 1e-3


def test_without_a_clock_there_are_no_moments_to_learn(defaults, tmp_path):
    rows = [small.history(f"u{n}", [n % 6, 1, 2, 3], slot=np.full(4, -1)) for n in range(8)]
    trainer = trainer_of(defaults, tmp_path, rows)
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    trainer.train(1)
    moved = {name for name, tensor in trainer.model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved
    assert not any(name.startswith("moments.") for name in moved)


def test_a_gap_of_more_than_a_day_after_an_item_counts():
    known, hours = small.catalogue(), [0, 26, 48, 74, 96]
    users = small.users([small.history("u", [0, 1, 0, 1, 0], small.MONDAY_S + small.HOUR_S * np.array(hours))], known)
    asked = small.queries({"known_steps": 5, "at_s": small.MONDAY_S + 96 * small.HOUR_S, "previous_known": True})
    found = own_gaps(batch_in(known, users, asked))[0]
    (place,) = gap_of(torch.tensor([26 * small.HOUR_S])).tolist()
    assert found[1, place] == found[0, place] == found[1].sum() > 1.0
