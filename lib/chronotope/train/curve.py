"""The loss curve of a training, as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def loss_curve(train: Sequence[float], validation: Sequence[float], best: int) -> bytes:
    """A PNG of both losses by epoch (1 is the first) with the best epoch marked.

    Drawn without pyplot: nothing global changes, and no display is needed.
    """
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot()
    epochs = range(1, len(train) + 1)
    axes.plot(epochs, train, marker="o", label="training, with dropout")
    axes.plot(epochs, validation, marker="o", label="validation, the last days before the cut")
    axes.axvline(best, color="grey", linestyle=":", label=f"kept: epoch {best}")
    axes.set(xlabel="epoch", ylabel="cross-entropy, nats per step")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    picture = io.BytesIO()
    FigureCanvasAgg(figure).print_png(picture)
    return picture.getvalue()
