"""Small layers that the space-time model is made of: time of the week, places, and vectors for known and unknown ids.

Letters: N items.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

HOUR_DIM, WEEKDAY_DIM = 16, 8
OCTAVES = 5  # of the place features: from the spread of the items down to a sixteenth of it


class Vectors(nn.Module):
    """A learned vector per id, and one for -1 (none or unknown).

    >>> Vectors(3, 4)(torch.tensor([-1, 2])).shape
    torch.Size([2, 4])
    """

    def __init__(self, n: int, size: int) -> None:
        super().__init__()
        self.table = nn.Embedding(n + 1, size)
        nn.init.normal_(self.table.weight, std=0.05)

    def forward(self, ids: Tensor) -> Tensor:
        """The vectors of ids [...]: [..., size]."""
        vectors: Tensor = self.table(ids + 1)
        return vectors


class SlotVectors(nn.Module):
    """A learned vector per hour of the day, beside one per weekday; both have one for an unknown slot (-1)."""

    size = HOUR_DIM + WEEKDAY_DIM

    def __init__(self) -> None:
        super().__init__()
        self.hour = Vectors(24, HOUR_DIM)
        self.weekday = Vectors(7, WEEKDAY_DIM)

    def forward(self, slot: Tensor) -> Tensor:
        """The vectors of slots [...]: [..., size]."""
        hour = (slot % 24).masked_fill(slot < 0, -1)
        weekday = torch.div(slot, 24, rounding_mode="floor").clamp(min=-1)
        return torch.cat([self.hour(hour), self.weekday(weekday)], dim=-1)


class Waves(nn.Module):
    """Places as sines and cosines at several scales, so that a linear layer can tell quarters and blocks apart.

    Fourier features as in Tancik et al., "Fourier features let networks learn high frequency functions in low
    dimensional domains", NeurIPS 2020, section 3, with octaves of the items' own spread as frequencies.
    """

    size = 3 * 2 * OCTAVES
    centre: Tensor
    spread: Tensor

    def __init__(self, places: Tensor) -> None:
        """Take the centre and the spread (metres) of the known places among [N, 3]."""
        super().__init__()
        known = places[~places.isnan().any(dim=1)].double()
        centre = known.mean(dim=0) if len(known) else torch.zeros(3).double()
        spread = (known - centre).pow(2).sum(dim=1).mean().sqrt() if len(known) else torch.ones(()).double()
        # Saved with the weights: a trained model sees a newer catalogue's places as it saw those that it learned from.
        self.register_buffer("centre", centre.float())
        self.register_buffer("spread", spread.clamp(min=1.0).float())

    def forward(self, places: Tensor) -> Tensor:
        """The features of places [..., 3] in metres: [..., size], all zero for an unknown place (NaN)."""
        unknown = places.isnan().any(dim=-1, keepdim=True)
        octaves = 2.0 ** torch.arange(OCTAVES, device=places.device)
        turns = ((places - self.centre) / self.spread).unsqueeze(-1) * octaves  # [..., 3, OCTAVES]
        waves = torch.cat([turns.sin(), turns.cos()], dim=-1).flatten(-2)
        return waves.masked_fill(unknown, 0.0)
