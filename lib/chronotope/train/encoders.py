"""Encoders of a sequence of steps: what is kept of a user's path, after each step.

All of them map steps [B, L, X] to states [B, L, H] in which no state reads a later step.

Letters: B users, L steps, X numbers of a step, H size of a state.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

Kind = Literal["lstm", "gru", "transformer"]
HEADS, LAYERS = 4, 2


class Recurrent(nn.Module):
    """An LSTM (Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997, section 4) or a GRU

    (Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014, section 2.3).
    """

    def __init__(self, kind: Literal["lstm", "gru"], size: int, hidden: int) -> None:
        super().__init__()
        self.cells = (nn.LSTM if kind == "lstm" else nn.GRU)(size, hidden, batch_first=True)

    def forward(self, steps: Tensor) -> Tensor:
        """States [B, L, H] of steps [B, L, X]."""
        states: Tensor = self.cells(steps)[0]
        return states


class Transformer(nn.Module):
    """A causal Transformer (Vaswani et al., "Attention is all you need", NIPS 2017, section 3), layer norm first.

    It reads windows that overlap by half, as training cuts them: a step attends to at least half a window before it, or
    to the start, and memory grows with the length of a history and not with its square.
    """

    def __init__(self, size: int, hidden: int, dropout: float, window_steps: int) -> None:
        super().__init__()
        self.window_steps = window_steps
        self.into = nn.Linear(size, hidden)
        layer = nn.TransformerEncoderLayer(
            hidden, math.gcd(hidden, HEADS), 2 * hidden, dropout, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(hidden), enable_nested_tensor=False)

    def forward(self, steps: Tensor) -> Tensor:
        """States [B, L, H] of steps [B, L, X]."""
        half = max(1, self.window_steps // 2)
        seen = self.window_steps - half  # steps of a later window whose states the one before has told
        states = [self.of_window(steps[:, : self.window_steps])]
        for start in range(half, steps.shape[1] - seen, half):
            states.append(self.of_window(steps[:, start : start + self.window_steps])[:, seen:])
        return torch.cat(states, dim=1)

    def of_window(self, steps: Tensor) -> Tensor:
        """States [B, L, H] of steps [B, L, X] that all see those before them."""
        n = steps.shape[1]
        inputs = self.into(steps) + positions(n, self.into.out_features, steps.device)
        later = nn.Transformer.generate_square_subsequent_mask(n, device=steps.device)
        states: Tensor = self.layers(inputs, mask=later, is_causal=True)
        return states


def positions(n: int, size: int, device: torch.device) -> Tensor:
    """Sines and cosines of the place in the sequence (the same paper, section 3.5): [n, size]."""
    half = (size + 1) // 2
    rates = torch.exp(-math.log(10_000.0) * torch.arange(half, device=device) / half)
    turns = torch.arange(n, device=device)[:, None] * rates
    return torch.cat([turns.sin(), turns.cos()], dim=1)[:, :size]


def encoder(kind: Kind, size: int, hidden: int, dropout: float, window_steps: int) -> nn.Module:
    """The encoder of a kind; `window_steps` is how far a Transformer sees."""
    if kind == "transformer":
        return Transformer(size, hidden, dropout, window_steps)
    return Recurrent(kind, size, hidden)


class Variational(nn.Module):
    """A Gaussian over states instead of a state (Kingma and Welling, "Auto-encoding variational Bayes", ICLR 2014).

    In training a state is drawn from it (section 2.4, the reparametrisation), else its mean is the state.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.mean = nn.Linear(hidden, hidden)
        self.log_variance = nn.Linear(hidden, hidden)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """States [Q, H], and each one's divergence from the unit Gaussian in nats [Q] (appendix B)."""
        mean, log_variance = self.mean(states), self.log_variance(states).clamp(-10, 10)
        divergence = 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(dim=-1)
        if not self.training:
            return mean, divergence
        return mean + torch.randn_like(mean) * (0.5 * log_variance).exp(), divergence
