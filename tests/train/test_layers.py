"""Small layers: ids that are unknown, slots that are unknown, places near and far."""

from __future__ import annotations

import torch

from chronotope.train.layers import HOUR_DIM, SlotVectors, Vectors, Waves

UNKNOWN = [float("nan")] * 3


def test_an_unknown_id_has_a_vector_of_its_own():
    found = Vectors(3, 4)(torch.tensor([[-1, 0], [1, 2]]))
    assert found.shape == (2, 2, 4)
    assert torch.pdist(found.flatten(0, 1)).min() > 0


def test_slots_are_an_hour_and_a_weekday():
    vectors = SlotVectors()(torch.arange(168))
    hour, weekday = vectors[:, :HOUR_DIM], vectors[:, HOUR_DIM:]
    assert vectors.shape == (168, SlotVectors.size)
    assert len(torch.unique(hour, dim=0)) == 24
    assert len(torch.unique(weekday, dim=0)) == 7
    assert torch.equal(hour[5], hour[29])
    assert torch.equal(weekday[0], weekday[23])


def test_no_slot_is_like_no_hour_and_no_weekday():
    found, every = SlotVectors()(torch.tensor([-1])), SlotVectors()
    vectors, none = every(torch.arange(168)), every(torch.tensor([-1]))
    assert found.shape == (1, SlotVectors.size)
    assert not (vectors[:, :HOUR_DIM] == none[:, :HOUR_DIM]).all(dim=1).any()
    assert not (vectors[:, HOUR_DIM:] == none[:, HOUR_DIM:]).all(dim=1).any()


def test_places_are_told_apart_and_unknown_ones_are_zero():
    metres = torch.tensor([[0.0, 0.0, 0.0], [500.0, 0.0, 0.0], UNKNOWN])
    waves = Waves(metres)(metres)
    assert waves.shape == (3, Waves.size)
    assert float((waves[0] - waves[1]).abs().max()) > 0.5
    assert float(waves[2].abs().max()) == 0.0


def test_places_that_are_all_one_or_all_unknown():
    for metres in (torch.ones(2, 3), torch.tensor([UNKNOWN])):
        assert torch.isfinite(Waves(metres)(metres)).all()
