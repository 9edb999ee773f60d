"""Run one peer: a history in, every user's score of every item out. Runs in the peers' environment.

    python -m benchmarks.peers.score MODULE HISTORY OUT SEED SETTINGS

HISTORY is NumPy's file of [2, P] integers, the users and the items of P steps, from 0, each user's steps together and
in time order; no Parquet: a short program that has read some with pyarrow 14 sometimes aborts as it ends. SETTINGS is a
JSON list; for the n-th of them OUT/n.npy holds the scores, [U, N] float32, and a line with n is printed once it is
there, so that the reader can take it away while the next one is made. A peer sees no answer: which settings are best,
and what the ranks are, is found by who called it.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import sys
from pathlib import Path

import numpy as np

from benchmarks.peers.history import History


def main(module: str, history: str, out: str, seed: str, settings: str) -> None:
    """Score under every setting; what libraries print goes to the error stream."""
    peer = importlib.import_module(f"benchmarks.peers.{module}")
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        found = peer.scores(History.read(Path(history)), json.loads(settings), int(seed))
        for n, scores in enumerate(found):
            np.save(Path(out) / f"{n}.npy", np.asarray(scores, dtype=np.float32))
            print(n, file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
