"""The program from a file of ratings to figures; the peers are Markov counts, which need no environment."""

from __future__ import annotations

import json
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import contest, leave_one_out
from benchmarks.leave_one_out import plain_of
from benchmarks.own_model import CHOICES
from benchmarks.peers.grids import grid
from tests.oracles.evaluate import of_rank

SMALL = ["train.epochs=2", "train.dim=8", "train.hidden=8", "train.max_steps=8"]


@pytest.fixture(scope="module")
def ratings(tmp_path_factory):
    """Thirty people who go around a ring of twelve items; the last of u00 is an item that nobody else meets."""
    rows = [(f"u{u:02d}", f"i{(u + n) % 12:02d}", 1_000 * u + n // 2) for u in range(30) for n in range(6 + u % 4)]
    rows.append(("u00", "new", 9_999))
    path = tmp_path_factory.mktemp("ratings") / "ratings.csv"
    pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"]).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def items(ratings):
    path = ratings.with_name("items.csv")
    described = [(f"i{n:02d}", "green tea" if n % 2 else "red wine", "drink") for n in range(12)]
    pd.DataFrame(described, columns=["item_id", "title", "category"]).to_csv(path, index=False)
    return path


@pytest.fixture
def run(ratings, items, tmp_path, monkeypatch, _spark_session):
    """Run the program with two quick peers; gives its predictions and its figures."""
    monkeypatch.setattr(leave_one_out, "open_session", lambda *_: _spark_session)
    monkeypatch.setattr(type(_spark_session), "stop", lambda _: None)
    quick = {f"markov_{n}": ("markov", grid(steps=[n], decay=[0.5, 1.0], shares=[True])) for n in (1, 3)}
    monkeypatch.setattr(contest, "PEERS", quick)

    def program(*options):
        folders = ["--ratings", str(ratings), "--out", str(tmp_path / "out"), "--results", str(tmp_path)]
        overrides = [word for setting in SMALL for word in ("--set", setting)]
        leave_one_out.main([*folders, "--peers-python", sys.executable, *overrides, *options])
        kept = json.loads((tmp_path / "leave_one_out.json").read_text())
        return pd.read_parquet(tmp_path / "out" / "predictions.parquet"), kept

    return program


def test_every_contestant_answers_every_user_once_per_seed(run, items, capsys):
    rows, kept = run("--items", str(items), "--seeds", "1", "2")
    assert "texts for 12 of 12 items" in capsys.readouterr().out
    assert rows.columns.tolist() == ["model", "seed", "user_id", "item_id", "rank", "top20"]
    names = {"chronotope", "markov_1", "markov_3"}
    assert rows.groupby(["model", "seed"])["user_id"].nunique().to_dict() == {(m, s): 30 for m in names for s in (1, 2)}
    assert len(rows) == 30 * 6
    assert rows.groupby("user_id")["item_id"].nunique().eq(1).all()
    assert (kept["users"], kept["items"]) == (30, 12)
    for model in names:
        ranks = rows.loc[rows["model"] == model, "rank"]
        expected = np.mean([of_rank(rank, 12, [10])["ndcg@10"] for rank in ranks])
        assert kept["value_error_spread"][model]["NDCG@10"][0] == pytest.approx(expected, abs=6e-5)
    own = kept["tuned"]["chronotope"]
    assert set(own["validation_ndcg"]) == set(CHOICES)
    assert own["validation_ndcg"][own["settings"]] == max(own["validation_ndcg"].values())
    ndcg = {model: kept["value_error_spread"][model]["NDCG@10"][0] for model in names}
    best = max(("markov_1", "markov_3"), key=ndcg.get)
    assert kept["best_peer"] == best
    assert kept["ratio_to_best_peer"] == pytest.approx(ndcg["chronotope"] / ndcg[best], abs=2e-3)


def test_an_item_that_nobody_met_before_is_a_miss_for_everybody(run):
    rows, _ = run()
    cold = rows[rows["user_id"] == "u00"]
    assert (cold["item_id"] == "new").all()
    assert (cold["rank"] == 13).all()


def test_without_peers_there_is_the_model_alone(run, ratings):
    rows, kept = run("--no-peers")
    assert set(rows["model"]) == {"chronotope"}
    assert "best_peer" not in kept
    met = pd.read_csv(ratings).groupby("user_id")["item_id"].apply(list)
    for row in rows.itertuples():
        unseen = 12 - len(set(met[row.user_id][:-1]))
        assert set(row.top20[:unseen]).isdisjoint(met[row.user_id][:-1])
        assert row.rank <= unseen or row.user_id == "u00"
        assert row.rank > 20 or row.item_id not in row.top20[:unseen] or list(row.top20).index(row.item_id) < row.rank


def test_with_many_rows_the_peers_run_on_request(run, monkeypatch):
    monkeypatch.setattr(leave_one_out, "LARGE_ROWS", 30)
    assert set(run()[0]["model"]) == {"chronotope"}
    assert set(run("--peers")[0]["model"]) == {"chronotope", "markov_1", "markov_3"}


def test_what_the_model_predicts_is_kept_when_a_peer_fails(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(contest, "PEERS", {"markov_1": ("markov", [{"steps": "many"}])})
    with pytest.raises(RuntimeError, match="peer markov failed"):
        run()
    assert set(pd.read_parquet(tmp_path / "out" / "predictions.parquet")["model"]) == {"chronotope"}
    assert "NDCG@10" in capsys.readouterr().out


def test_plain_events_have_no_clock_and_what_is_told_of_their_items():
    known = pd.DataFrame({"user_id": ["u", "u"], "item_id": ["b", "a"], "at_s": [60.0, 61.0]})
    items = pd.DataFrame({"item_id": ["a"], "title": ["A"], "text": ["tea"], "category": ["drink"]})
    plain = plain_of(known, items)
    assert plain["occurred_at"].tolist() == [pd.Timestamp(s, unit="s", tz="UTC") for s in (60, 61)]
    assert plain["item_id"].tolist() == ["b", "a"]
    assert plain["text"].fillna("none").tolist() == ["none", "tea"]
    assert "utc_offset_min" not in plain
    assert "text" not in plain_of(known, None)
