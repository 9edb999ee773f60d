"""The program, as anyone would run it, on a small log."""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from benchmarks.asked import Asked
from benchmarks.mornings import mornings
from benchmarks.next_place import GROUP, Exam, answered_by, run
from benchmarks.places import CONF, Lessons
from benchmarks.prepared import Stages
from benchmarks.trajectories import asked_of, in_time, split_of
from chronotope.config import load_settings
from chronotope.train.scoring import Catalogue
from tests.benchmarks.checkins import as_published, drawn, frame
from tests.conftest import ROOT
from tests.train import small

MODELS = ["user_frequency", "chronotope", "count_blend"]
TINY = ["train.epochs=1", "train.dim=8", "train.hidden=8", "night.threads=1"]


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The folder that a run leaves."""
    folder = tmp_path_factory.mktemp("next_place")
    for name, hour, seed in (("train", 0, 1), ("validation", 130, 2), ("test", 260, 3)):
        as_published(drawn(seed, hour, 4, 80)).to_parquet(folder / f"{name}.parquet")
    files = [f"--{name}={folder / name}.parquet" for name in ("train", "validation", "test")]
    overrides = [f"--set={value}" for value in TINY]
    chosen = ["--models", *MODELS, "--seeds", "1", "2", "--out", str(folder / "out"), "--results", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.next_place", *files, *chosen, *overrides],
        cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "lib")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (folder / "printed").write_text(done.stdout, encoding="utf-8")
    return folder


@pytest.fixture
def predictions(out):
    return pd.read_parquet(out / "out" / "predictions.parquet")


def printed(out):
    """The lines that the run printed."""
    return (out / "printed").read_text(encoding="utf-8").splitlines()


@dataclass
class Favourite:
    """Puts one item first, the others in their order."""

    catalogue: Catalogue
    item: int

    def encode(self, users, queries):
        return np.empty((len(queries.user), 0), np.float32)

    def score(self, states, users, queries):
        scores = -np.arange(6, dtype=np.float32)
        scores[self.item] = 1.0
        return np.tile(scores, (len(queries.user), 1))


def test_each_query_is_answered_by_the_scorer_of_its_morning():
    known = small.catalogue()
    rows = pd.DataFrame([small.history(f"u{n}", [0] * (1 + n % 4)) for n in range(9)])
    asked = Asked(rows, np.full(9, small.MONDAY_S), np.zeros(9, np.int64), np.ones(9, dtype=bool))
    morning = np.array([2, 0, 1, 1, 5, 0, 2, 5, 0])
    truths = pd.Series(known.item_ids).iloc[[2, 0, 1, 1, 5, 0, 1, 0, 5]]
    found = answered_by([Favourite(known, item) for item in range(6)], morning, asked, truths)
    assert [top[0] for top in found["top"]] == [known.item_ids[item] for item in morning]
    assert found["rank"].tolist() == [1, 1, 1, 1, 1, 1, 3, 2, 6]


def test_there_is_one_row_per_query_and_setting(predictions):
    assert list(predictions) == [
        "split", "model", "history", "slot", "seed", "trajectory_id", "user_id", "poi_id", "rank", "top20",
    ]  # fmt: skip
    keys = ["split", "model", "history", "slot", "seed", "trajectory_id"]
    assert not predictions.duplicated(keys).any()
    asked = predictions.groupby("split")["trajectory_id"].nunique()
    assert set(asked.index) == {"validation", "test"}
    runs = predictions.groupby(["split", "model", "seed", "history", "slot"]).size()
    assert (runs == asked.reindex(runs.index.get_level_values("split")).to_numpy()).all()
    settings = {("train", "known"), ("train", "unknown"), ("all", "known"), ("all", "unknown"), ("night", "known")}
    assert set(zip(predictions["history"], predictions["slot"], strict=True)) == settings
    seeds = predictions.groupby("model")["seed"].unique().map(sorted).to_dict()
    assert seeds == {"chronotope": [1, 2], "count_blend": [1, 2], "user_frequency": [1]}


def test_the_model_has_its_turn_first_and_the_file_the_order_asked_for(out, predictions):
    told = [ast.literal_eval(line) for line in printed(out) if line.startswith("{'model'")]
    turns = [("chronotope", 1), ("chronotope", 2), ("user_frequency", 1), ("count_blend", 1), ("count_blend", 2)]
    assert [(of["model"], of["seed"]) for of in told] == turns
    assert predictions["model"].unique().tolist() == MODELS


def test_the_table_is_printed_after_each_contender(out):
    tables = []
    for words in map(str.split, printed(out)):
        if words[:4] == list(GROUP):
            tables.append([])
        elif tables and words[0] in ("validation", "test"):
            tables[-1].append(words[3])
    expected = [["chronotope"], ["chronotope"], ["user_frequency", "chronotope"], MODELS, MODELS]
    assert tables == [10 * models for models in expected]


def test_what_is_done_is_kept_when_a_later_training_fails(spark, tmp_path):
    stages = Stages(spark, load_settings(CONF, overrides=TINY), tmp_path)
    train, part = in_time(frame(drawn(1, 0, 4, 80))), in_time(frame(drawn(2, 130, 4, 40)))
    split, catalogue = split_of("validation", train, train, part), stages.catalogue(train)
    exam = Exam(split, mornings(split, catalogue, stages), asked_of(split, stages))
    lessons = Lessons([tmp_path / "lost.parquet"], catalogue, 0.0, 0.0, catalogue, {}, [])
    options = argparse.Namespace(models=["lstm_only", "markov"], seeds=[1, 2], set=TINY, out=tmp_path / "out")
    with pytest.raises(FileNotFoundError, match=r"lost\.parquet"):
        run(lessons, [exam], options, tmp_path)
    kept = pd.read_parquet(tmp_path / "out" / "predictions.parquet")
    assert set(kept["model"]) == {"markov"}
    assert len(kept) == 5 * len(split.query)


def test_ranks_and_lists_agree(predictions):
    for row in predictions.itertuples():
        assert len(set(row.top20)) == len(row.top20) == 8, "all venues of a small world"
        assert 1 + list(row.top20).index(row.poi_id) <= row.rank <= 8, "ties count against the model"
    assert predictions["rank"].nunique() > 3


def test_the_summary_is_that_of_the_predictions(out, predictions):
    kept = json.loads((out / "next_place.json").read_text(encoding="utf-8"))
    assert kept["queries"] == predictions.groupby("split")["trajectory_id"].nunique().to_dict()
    rows = predictions.query("split == 'test' and history == 'all' and slot == 'known' and model == 'chronotope'")
    of_query = (1 / rows["rank"]).groupby(rows["trajectory_id"]).mean()
    of_seed = (1 / rows["rank"]).groupby(rows["seed"]).mean()
    shown = kept["figures"]["test"]["history all, slot known"]["chronotope"]["mrr"]
    assert shown == f"{of_query.mean():.3f} ±{of_query.sem():.3f}/{of_seed.std():.3f}".replace("0.", ".")
    assert [(t["model"], t["seed"]) for t in kept["training"]] == [("chronotope", 1), ("chronotope", 2)]
    assert all(0 < training["peak_gib"] < 6 for training in kept["training"])
    assert str(out) not in json.dumps(kept), "no machine's paths"
