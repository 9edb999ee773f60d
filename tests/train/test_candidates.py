"""The models that meet on the tail: which folders are made, from what, and that none of them knows the tail."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.numpy import load_file, save_file

from chronotope.infer.workers import load_scorer, save_counts
from chronotope.store.models import ABOUT, ARRAYS, NAMES, WEIGHTS, read_model, write_model
from chronotope.train import fit as fitting
from chronotope.train import tuning
from chronotope.train.blend import KINDS, START, CountBlend
from chronotope.train.candidates import Known, candidates
from chronotope.train.contest import Contest
from chronotope.train.curve import loss_curve
from tests.train import small

DAYS, TAIL = 20, dt.timedelta(days=5)
CUT_S = small.MONDAY_S + (DAYS - 5) * small.DAY_S
CUT = dt.datetime.fromtimestamp(CUT_S, dt.UTC)
NEW, COUNTS, RECENT, RECENT_PATH = "space_time-tonight", "counts-tonight", "recent", "_models/night=before"


def log(seed=0, tail_item=None):
    """A step a day of a few users; in the tail all of them meet `tail_item`, if there is one."""
    random = np.random.default_rng(seed)
    at_s = small.MONDAY_S + 8 * small.HOUR_S + small.DAY_S * np.arange(DAYS)
    rows = []
    for n in range(10):
        items = [int(j) for j in random.integers(6, size=DAYS)]
        if tail_item is not None:
            items[-5:] = [tail_item] * 5
        rows.append(small.history(f"u{n}", items, at_s))
    return rows


def until(rows, end_s):
    """The histories of the rows as they were at a moment."""
    return [
        small.history(r["user_id"], [int(i[1:]) for i in r["item_id"][: (r["occurred_at_s"] < end_s).sum()]],
                      r["occurred_at_s"][r["occurred_at_s"] < end_s]) for r in rows
    ]  # fmt: skip


@pytest.fixture(scope="module")
def quick(defaults):
    changes = {"dim": 4, "hidden": 4, "epochs": 1}
    infer = defaults.infer.model_copy(update={"device": "cpu"})
    return defaults.model_copy(update={"train": defaults.train.model_copy(update=changes), "infer": infer})


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr(tuning, "DRAWS", 5)


def tonight(new=NEW, recent=None):
    return Contest(CUT, CUT - TAIL, new, recent, RECENT_PATH if recent else None, COUNTS)


def known(folder, rows, early=True):
    """What is known of a log: counts as of the cut and as of five days before it, and its histories in a file."""
    folder.mkdir(exist_ok=True)
    before = small.counted(small.catalogue(), until(rows, CUT_S - TAIL.total_seconds())) if early else None
    then = small.counted(small.catalogue(), until(rows, CUT_S))
    return Known(before, then, small.write(folder, rows), pd.DataFrame(rows))


def made(folder, settings, of, rows=None, early=True):
    given = known(folder, rows or log(), early)
    return candidates(of, given, settings, folder / "_models", folder / "scratch")


def bytes_of(folder, *names):
    return {path.name: path.read_bytes() for path in folder.iterdir() if not names or path.name in names}


def keep_recent(folder, items=3):
    """The model that made last night's tables, over a catalogue of fewer items."""
    blend = CountBlend(small.catalogue(n_items=items), dict.fromkeys(KINDS, START), RECENT)
    save_counts(blend, folder / RECENT_PATH)
    return folder / RECENT_PATH


def test_a_first_night_makes_a_count_model_and_a_space_time_model(quick, tmp_path):
    folders = made(tmp_path, quick, tonight())
    assert folders == {COUNTS: tmp_path / "_models" / COUNTS, NEW: tmp_path / "_models" / NEW}
    scorers = {name: load_scorer(folder, "cpu", 1) for name, folder in folders.items()}
    assert {name: scorer.model_id for name, scorer in scorers.items()} == {COUNTS: COUNTS, NEW: NEW}
    assert {name: read_model(folder).about["kind"] for name, folder in folders.items()} == {
        COUNTS: "counts", NEW: "space_time",
    }  # fmt: skip


def test_between_trainings_nothing_is_trained(quick, tmp_path):
    recent = keep_recent(tmp_path)
    before = bytes_of(recent)
    folders = made(tmp_path, quick, tonight(new=None, recent=RECENT))
    assert folders == {COUNTS: tmp_path / "_models" / COUNTS, RECENT: tmp_path / "scratch" / "recent"}
    assert sorted(path.name for path in (tmp_path / "_models").iterdir()) == [COUNTS, recent.name]
    assert bytes_of(recent) == before


def test_the_recent_model_meets_the_others_over_the_catalogue_of_the_cut(quick, tmp_path):
    keep_recent(tmp_path, items=3)
    folders = made(tmp_path, quick, tonight(recent=RECENT))
    assert set(folders) == {COUNTS, RECENT, NEW}
    assert bytes_of(folders[RECENT], NAMES, ARRAYS) == bytes_of(folders[COUNTS], NAMES, ARRAYS)
    assert load_scorer(folders[RECENT], "cpu", 1).model_id == RECENT


def test_a_trained_recent_model_is_not_trained_again(quick, tmp_path):
    was = read_model(made(tmp_path, quick, tonight())[NEW])
    of_next_night = Contest(CUT, CUT - TAIL, None, NEW, f"_models/{NEW}", COUNTS)
    found = read_model(made(tmp_path, quick, of_next_night)[NEW])
    assert found.about == was.about
    assert all(torch.equal(found.tensors[name], tensor) for name, tensor in was.tensors.items())


def test_a_recent_model_of_another_encoder_does_not_stand_again(quick, tmp_path):
    made(tmp_path, quick, tonight())
    of_next_night = Contest(CUT, CUT - TAIL, None, NEW, f"_models/{NEW}", COUNTS)
    shorter = quick.model_copy(update={"embed": quick.embed.model_copy(update={"max_tokens": 64})})
    assert set(made(tmp_path, quick, of_next_night)) == {COUNTS, NEW}
    assert set(made(tmp_path, shorter, of_next_night)) == {COUNTS}


def test_a_recent_model_that_learned_from_the_tail_does_not_stand_again(quick, tmp_path):
    made(tmp_path, quick, tonight())
    for days, stands in ((0, True), (1, False)):  # a longer tail begins earlier than it did
        of_next_night = Contest(CUT - dt.timedelta(days), CUT - TAIL, None, NEW, f"_models/{NEW}", COUNTS)
        assert (NEW in made(tmp_path, quick, of_next_night)) == stands


def test_a_recent_model_of_a_version_that_had_other_settings_does_not_stand_again(quick, tmp_path):
    folder = made(tmp_path, quick, tonight())[NEW]
    was = read_model(folder)
    settings = {name: value for name, value in was.about["settings"].items() if name != "rate_decay"}
    write_model(folder, replace(was, about={**was.about, "settings": settings}))
    of_next_night = Contest(CUT, CUT - TAIL, "space_time-next", NEW, f"_models/{NEW}", COUNTS)
    assert set(made(tmp_path, quick, of_next_night)) == {COUNTS, "space_time-next"}


def test_a_recent_model_whose_catalogue_lacks_a_count_does_not_stand_again(quick, tmp_path):
    folder = made(tmp_path, quick, tonight())[NEW]
    counts = load_file(folder / ARRAYS)
    del counts["trending"]
    save_file(counts, folder / ARRAYS)
    of_next_night = Contest(CUT, CUT - TAIL, None, NEW, f"_models/{NEW}", COUNTS)
    assert set(made(tmp_path, quick, of_next_night)) == {COUNTS}


def test_without_days_to_tune_on_the_count_model_has_the_usual_weights(quick, tmp_path):
    folders = made(tmp_path, quick, tonight(new=None), early=False)
    assert load_scorer(folders[COUNTS], "cpu", 1).weights == dict.fromkeys(KINDS, START)
    tuned = made(tmp_path / "tuned", quick, tonight(new=None))
    assert load_scorer(tuned[COUNTS], "cpu", 1).weights["next"] != START


def test_what_happens_in_the_tail_changes_no_model(quick, tmp_path):
    written = []
    for name, item in (("clean", 0), ("poisoned", 5)):
        (tmp_path / name).mkdir()
        keep_recent(tmp_path / name)
        folders = made(tmp_path / name, quick, tonight(recent=RECENT), log(tail_item=item))
        written.append({model: bytes_of(folder, WEIGHTS, NAMES, ARRAYS) for model, folder in folders.items()})
        written[-1]["counts, described"] = bytes_of(folders[COUNTS], ABOUT)
    assert written[1] == written[0]


def test_a_second_call_leaves_the_same_models(quick, tmp_path):
    keep_recent(tmp_path)
    first, second = (
        {model: bytes_of(folder, WEIGHTS, NAMES, ARRAYS)
         for model, folder in made(tmp_path, quick, tonight(recent=RECENT)).items()} for _ in range(2)
    )  # fmt: skip
    assert second == first


def test_a_killed_training_is_made_good_by_the_next_call(quick, tmp_path, monkeypatch):
    whole = made(tmp_path / "whole", quick, tonight())

    def killed(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "loss_curve", killed)
    with pytest.raises(KeyboardInterrupt):
        made(tmp_path / "killed", quick, tonight())
    assert not (tmp_path / "killed" / "_models" / NEW).exists()
    monkeypatch.setattr(fitting, "loss_curve", loss_curve)
    again = made(tmp_path / "killed", quick, tonight())
    assert sorted(path.name for path in (tmp_path / "killed" / "_models").iterdir()) == [COUNTS, NEW]
    assert bytes_of(again[NEW], WEIGHTS, NAMES, ARRAYS) == bytes_of(whole[NEW], WEIGHTS, NAMES, ARRAYS)
