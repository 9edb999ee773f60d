"""Encoders: no state reads a later step, whichever kind; and a Gaussian instead of a state."""

from __future__ import annotations

import pytest
import torch

from chronotope.train.encoders import Variational, encoder, positions

KINDS = ["lstm", "gru", "transformer"]
X, H = 5, 8


def made(kind, dropout=0.0, window_steps=100):
    torch.manual_seed(0)
    return encoder(kind, X, H, dropout, window_steps).eval()


@pytest.mark.parametrize("kind", KINDS)
def test_no_state_reads_a_later_step(kind):
    steps = torch.randn(3, 7, X)
    poisoned = steps.clone()
    poisoned[:, 4:] = 9.0
    found, other = made(kind)(steps), made(kind)(poisoned)
    assert torch.allclose(found[:, :4], other[:, :4], atol=1e-6)
    assert (found[:, 4:] - other[:, 4:]).abs().amax(dim=(0, 2)).min() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_reads_all_earlier_steps(kind):
    steps = torch.randn(1, 6, X, requires_grad=True)
    made(kind)(steps)[0, 5].square().sum().backward()
    assert (steps.grad.abs().amax(dim=2)[0] > 1e-7).all()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_other_users_change_nothing(kind):
    steps = torch.randn(3, 6, X)
    longer = torch.cat([steps, torch.full((3, 9, X), 3.0)], dim=1)
    whole = made(kind)(longer)[:, :6]
    assert torch.allclose(made(kind)(steps), whole, atol=1e-6)
    assert torch.allclose(made(kind)(steps[1:2]), whole[1:2], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_steps_matters(kind):
    steps = torch.randn(1, 6, X)
    turned = steps[:, [1, 0, 2, 3, 4, 5]]
    assert (made(kind)(steps)[:, 5] - made(kind)(turned)[:, 5]).abs().max() > 1e-4


@pytest.mark.parametrize("hidden", [1, 3, 6, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_any_size_of_state_and_a_single_step(kind, hidden):
    found = encoder(kind, X, hidden, 0.1, 100)(torch.randn(2, 1, X))
    assert found.shape == (2, 1, hidden)


@pytest.mark.parametrize(("window", "n"), [(4, 1), (4, 4), (4, 5), (4, 9), (5, 5), (5, 6), (5, 12), (2, 5)])
def test_a_transformer_reads_windows_that_overlap_by_half_as_training_cuts_them(window, n):
    steps, model = torch.randn(2, n, X), made("transformer", window_steps=window)
    found, half = model(steps), window // 2
    assert found.shape == (2, n, H)
    for step in range(n):
        start = 0 if step < window else (1 + (step - window) // half) * half
        alone = model.of_window(steps[:, start : step + 1])[:, -1]
        assert torch.allclose(found[:, step], alone, atol=1e-6)
        assert step - start < window


def test_a_transformer_never_attends_over_more_than_a_window_however_long_the_history():
    """What attention takes grows with the square of the steps that it sees at once."""
    model, seen = made("transformer", window_steps=10), []
    model.layers.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    assert model(torch.randn(2, 333, X)).shape == (2, 333, H)
    assert max(seen) == 10
    assert sum(seen) < 2 * 333 + 10


def test_positions_tell_places_apart():
    found = positions(50, 7, torch.device("cpu"))
    assert found.shape == (50, 7)
    assert torch.pdist(found).min() > 0.05


def test_a_gaussian_is_its_mean_when_it_does_not_learn():
    torch.manual_seed(0)
    head, states = Variational(H), torch.randn(4, H)
    drawn = [head(states)[0] for _ in range(2)]
    head.eval()
    still = [head(states)[0] for _ in range(2)]
    assert torch.equal(still[0], still[1])
    assert torch.equal(still[0], head.mean(states))
    assert not torch.equal(drawn[0], drawn[1])


def test_drawn_states_have_the_mean_and_the_deviation():
    torch.manual_seed(0)
    head = Variational(H)
    states = torch.randn(1, H)
    drawn = head(states.expand(20_000, H))[0]
    assert torch.allclose(drawn.mean(dim=0), head.mean(states)[0], atol=0.05)
    assert torch.allclose(drawn.std(dim=0), (0.5 * head.log_variance(states)[0]).exp(), atol=0.05)


def set_to(head, mean, log_variance):
    with torch.no_grad():
        for layer, value in ((head.mean, mean), (head.log_variance, log_variance)):
            layer.weight.zero_()
            layer.bias.fill_(value)
    return head


@pytest.mark.parametrize(("mean", "log_variance"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.7), (-1.0, -2.0)])
def test_the_divergence_is_that_of_gaussians_and_zero_for_the_unit_one_only(mean, log_variance):
    head = set_to(Variational(H), mean, log_variance)
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(mean, torch.tensor(log_variance / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    found = head(torch.randn(3, H))[1]
    assert found.tolist() == pytest.approx([H * float(expected)] * 3, abs=1e-5)
    assert (found == 0).all() == (mean == log_variance == 0)
