"""The peers of leave_one_out: each tuned on validation, then fitted with validation joined and scored on the test.

Letters: U users, N items.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.held_out import HeldOut
from benchmarks.peers.grids import PEERS
from benchmarks.ranked import ndcg
from benchmarks.ratings import Split
from benchmarks.report import ROOT


@dataclass(frozen=True)
class Tuned:
    """A peer with its settings chosen, and what it predicts on the test."""

    settings: Mapping[str, Any]
    validation_ndcg: float  # NDCG@10 of the settings chosen
    seconds: float  # of the tuning
    predictions: pd.DataFrame


def contest(split: Split, hide_seen: bool, seeds: Sequence[int], python: Path) -> dict[str, Tuned]:
    """All peers, by name.

    Args:
        split: what to learn from, validate and test on.
        hide_seen: whether a user's known items are left out of the rankings.
        seeds: the settings are chosen with the first of them; the test is scored with each.
        python: of the peers' environment.

    """
    validation = HeldOut(split.train, split.validation, hide_seen)
    test = HeldOut(split.known, split.test, hide_seen)
    return {name: tuned(name, validation, test, seeds, python) for name in PEERS}


def tuned(name: str, validation: HeldOut, test: HeldOut, seeds: Sequence[int], python: Path) -> Tuned:
    """One peer: the settings with the best NDCG@10 on validation, of equal ones the first."""
    module, grid = PEERS[name]
    started = time.monotonic()
    found = [ndcg(validation.ranks(scores)).mean() for scores in run(module, validation, grid, seeds[0], python)]
    best = int(np.argmax(found))
    seconds = time.monotonic() - started
    print(f"{name}: NDCG@10 {found[best]:.4f} on validation, {grid[best]}, {seconds:.0f} s", flush=True)
    predictions = [
        test.predicted(name, seed, scores) for seed in seeds for scores in run(module, test, [grid[best]], seed, python)
    ]
    return Tuned(grid[best], float(found[best]), seconds, pd.concat(predictions))


def run(
    module: str, of: HeldOut, settings: Sequence[Mapping[str, Any]], seed: int, python: Path
) -> Iterator[np.ndarray]:
    """The scores [U, N] that a peer gives under each of the settings, see `benchmarks.peers.score`.

    Raises:
        RuntimeError: when the peer fails; what it said stands in the message.

    """
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile("w+") as said:
        folder = Path(name)
        np.save(folder / "history.npy", of.history[["user", "item"]].to_numpy(np.int64).T)
        arguments = [module, folder / "history.npy", folder, str(seed), json.dumps(list(settings))]
        with subprocess.Popen(
            [python, "-m", "benchmarks.peers.score", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE,
            stderr=said, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},  # implicit has threads of its own
        ) as process:  # fmt: skip
            for line in process.stdout or ():
                path = folder / f"{int(line)}.npy"
                yield np.load(path)
                path.unlink()
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"peer {module} failed:\n{said.read()[-2000:]}")
