"""Other people's recommenders, each as a program in its own environment."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from benchmarks.contest import run
from benchmarks.held_out import HeldOut
from benchmarks.peers.environment import REQUIREMENTS
from benchmarks.peers.grids import PEERS

SMALL = {
    "als": [{"factors": 4, "iterations": 3}, {"factors": 8, "iterations": 3}],
    "bm25": [{"K": 3, "K1": 1.2, "B": 0.5}],
    "sasrec": [{"n_factors": 16, "n_blocks": 1, "n_heads": 2, "lr": 0.01, "epochs": epochs} for epochs in (1, 60)],
}


@pytest.fixture(scope="module")
def ring():
    """Forty people who go around a ring of eight items, each from another start."""
    rows = [(f"u{u:02d}", f"i{(u + n) % 8}") for u in range(40) for n in range(4 + u % 3)]
    known = pd.DataFrame(rows, columns=["user_id", "item_id"])
    ahead = pd.DataFrame([(f"u{u:02d}", f"i{(u + 4 + u % 3) % 8}") for u in range(40)], columns=["user_id", "item_id"])
    return HeldOut(known, ahead, True)


@pytest.mark.slow
@pytest.mark.parametrize("module", SMALL)
def test_a_peer_scores_every_item_for_every_user(module, ring, peers_python):
    found = list(run(module, ring, SMALL[module], 1, peers_python))
    assert [scores.shape for scores in found] == [(40, 8)] * len(SMALL[module])
    assert all(np.isfinite(scores).all() for scores in found)
    again = list(run(module, ring, SMALL[module], 1, peers_python))
    np.testing.assert_allclose(found[-1], again[-1], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_sasrec_learns_the_order(ring, peers_python):
    first, last = (ring.ranks(scores) for scores in run("sasrec", ring, SMALL["sasrec"], 1, peers_python))
    assert (last == 1).mean() > 0.9
    assert (last == 1).mean() > (first == 1).mean()


def test_the_environment_is_pinned_exactly():
    lines = [line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.\-\[\]]+==[\w.]+", line)] == []
    names = {line.split("==")[0].split("[")[0].lower() for line in lines}
    assert {"rectools", "pm-implicit", "torch"} <= names
    assert len(names) == len(lines)


def test_every_peer_has_a_program_and_settings():
    folder = REQUIREMENTS.parent
    assert {module for module, _ in PEERS.values()} == {"markov", *SMALL}
    for module, settings in PEERS.values():
        assert (folder / f"{module}.py").is_file()
        assert len(settings) > 1
