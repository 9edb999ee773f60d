"""Tuning a peer on validation and scoring it on the test; the peer runs as a program, with this Python."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import contest as of
from benchmarks.held_out import HeldOut
from benchmarks.peers.grids import PEERS, grid
from benchmarks.ratings import split

HERE = Path(sys.executable)
GRID = grid(steps=[1, 3], decay=[0.5], shares=[True])


@pytest.fixture
def parts():
    """Twelve people who go around a ring of items, some of them two steps at a time."""
    rows = [(f"u{u:02d}", f"i{(u + n * (1 + u % 2)) % 9}", n) for u in range(12) for n in range(4 + u % 3)]
    return split(pd.DataFrame(rows, columns=["user_id", "item_id", "at_s"]))


@pytest.fixture
def held_out(parts):
    return HeldOut(parts.train, parts.validation, True), HeldOut(parts.known, parts.test, True)


def ndcg_of(held_out, settings):
    from benchmarks.peers.history import History
    from benchmarks.peers.markov import scores

    history = History(held_out.history["user"].to_numpy(), held_out.history["item"].to_numpy())
    (found,) = scores(history, [settings], 1)
    return of.ndcg(held_out.ranks(found.astype(np.float32))).mean()


def test_the_best_settings_on_validation_are_scored_on_the_test(held_out, monkeypatch):
    monkeypatch.setitem(PEERS, "some", ("markov", GRID))
    validation, test = held_out
    found = of.tuned("some", validation, test, [1, 2], HERE)
    by_hand = [ndcg_of(validation, settings) for settings in GRID]
    assert by_hand[0] != by_hand[1]
    assert found.settings == GRID[int(np.argmax(by_hand))]
    assert found.validation_ndcg == pytest.approx(max(by_hand))
    assert of.ndcg(found.predictions["rank"].to_numpy()).mean() == pytest.approx(ndcg_of(test, found.settings))
    assert found.predictions.groupby("seed").size().to_dict() == {1: 12, 2: 12}


def test_all_peers_are_in_the_contest(parts, monkeypatch):
    monkeypatch.setattr(of, "PEERS", {"one": ("markov", GRID[:1]), "three": ("markov", GRID[1:])})
    found = of.contest(parts, True, [1], HERE)
    assert {name: peer.predictions["model"].unique().tolist() for name, peer in found.items()} == {
        "one": ["one"],
        "three": ["three"],
    }


def test_a_peer_that_fails_says_why(held_out):
    with pytest.raises(RuntimeError, match=r"(?s)peer markov failed:.*KeyError: 'decay'"):
        list(of.run("markov", held_out[0], [{"steps": 1}], 1, HERE))


def test_a_peer_is_told_no_answer(held_out, monkeypatch):
    """What reaches its program is the history, as numbers."""
    seen = {}
    monkeypatch.setattr(np, "save", lambda path, array: seen.update({path.name: array}))
    with pytest.raises(RuntimeError):
        list(of.run("markov", held_out[0], GRID, 1, HERE))
    ((name, told),) = seen.items()
    assert name == "history.npy"
    assert told.T.tolist() == held_out[0].history[["user", "item"]].to_numpy().tolist()
    assert told.shape == (2, len(held_out[0].known))
