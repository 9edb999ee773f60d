"""What the model may know while its settings are chosen."""

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from benchmarks.own_model import CHOICES, LARGE_ROWS, as_of, by_moment, choices_of, settings_of, without_last
from benchmarks.report import ROOT
from chronotope.train.scorer import SpaceTimeScorer
from chronotope.train.space_time import SpaceTime
from chronotope.train.tables import item_tables
from tests.train import small

CPU = torch.device("cpu")


def scorer_of(catalogue, settings):
    return SpaceTimeScorer(
        "m", catalogue, SpaceTime(catalogue, item_tables(catalogue, CPU), settings.train, (30.0, 3.0))
    )


def test_what_is_hidden_from_the_rankings_is_barred_in_training():
    config, overrides = ROOT / "conf" / "chronotope.yaml", ["train.epochs=3"]
    hidden, kept = (settings_of(CHOICES["sequence"], hide, config, overrides).train for hide in (True, False))
    assert (hidden.repeats, kept.repeats) == (False, True)
    assert (hidden.epochs, hidden.memory, hidden.mask_previous) == (3, False, 0.0)


@pytest.mark.parametrize(("minutes", "left"), [(0, 30), (12, 18), (40, 5)])
def test_a_large_log_is_learned_in_what_is_left_of_half_an_hour(minutes, left):
    config, choices = ROOT / "conf" / "chronotope.yaml", choices_of(LARGE_ROWS, time.monotonic() - 60 * minutes)
    limits = [settings_of(choice, True, config, []).train.max_minutes for choice in choices.values()]
    assert limits == [pytest.approx(left, abs=0.05)]
    assert settings_of(choices["sequence"], True, config, ["train.max_minutes=90"]).train.max_minutes == 90
    assert choices_of(LARGE_ROWS - 1, 0.0) is CHOICES


def test_everybody_is_told_what_was_trending_when_they_were_last_seen(defaults, tmp_path):
    year_s = 365 * small.DAY_S
    steps = {"long gone": ([0, 0, 1], 0.0), "never came": ([], 0.0), "here": ([5, 4, 4, 3], 9 * year_s)}
    rows = pd.DataFrame(
        [small.history(user, items, small.MONDAY_S + at_s + 60.0 * np.arange(len(items)))
         for user, (items, at_s) in steps.items()]
    )  # fmt: skip
    rows.to_parquet(tmp_path / "rows.parquet")
    model = scorer_of(small.counted(small.catalogue(), rows.to_dict("records")), defaults)
    found = by_moment(model, [tmp_path / "rows.parquet"], rows, 5 * small.HOUR_S)
    trending = {rows["user_id"][row]: some.scorer.catalogue.trending for some in found for row in some.rows}
    assert set(trending) == set(steps)
    assert trending["long gone"].tolist()[0] > 1.9
    assert trending["long gone"][[3, 4, 5]].tolist() == [0, 0, 0]
    assert trending["never came"].sum() == 0
    assert trending["here"].round(3).tolist()[:3] == [0, 0, 0]
    assert trending["here"][4] > 1.9
    assert all((some.scorer.catalogue.popularity != model.catalogue.popularity).nnz == 0 for some in found)


def test_counts_of_validation_do_not_know_the_validation_items(defaults, tmp_path):
    rows = pd.DataFrame([small.history("u0", [0, 1, 5]), small.history("u1", [0, 1]), small.history("u2", [3])])
    earlier = without_last(rows)
    assert [list(items) for items in earlier["item_id"]] == [["i00", "i01"], ["i00"], []]
    everything = sparse.csr_matrix(([1.0, 2.0], ([1, 0], [5, 1])), shape=(6, 6), dtype="float32")
    known = replace(small.catalogue(), transitions=everything)
    earlier.to_parquet(tmp_path / "earlier.parquet")
    model = scorer_of(known, defaults)
    then = as_of(earlier, model, 5 * small.HOUR_S, tmp_path / "earlier.parquet")
    assert then.model is model.model
    assert then.tables.leaves.tolist() == [[1, 0, 0, 0, 0, 0]]  # of u0, from i00 to i01
    assert then.tables.successor[0, 0].tolist() == [1]
    assert then.tables.trending.tolist() == [[0, 1]]
    assert (then.biases[0] > then.biases[1]) & (then.biases[1] > then.biases[5])  # i00 twice, i01 once, i05 not yet
