"""What the model may know while its settings are chosen."""

from dataclasses import replace

import pandas as pd
import torch
from scipy import sparse

from benchmarks.own_model import as_of, without_last
from chronotope.train.scorer import SpaceTimeScorer
from chronotope.train.space_time import SpaceTime
from chronotope.train.tables import item_tables
from tests.train import small

CPU = torch.device("cpu")


def test_counts_of_validation_do_not_know_the_validation_items(defaults, tmp_path):
    rows = pd.DataFrame([small.history("u0", [0, 1, 5]), small.history("u1", [0, 1]), small.history("u2", [3])])
    earlier = without_last(rows)
    assert [list(items) for items in earlier["item_id"]] == [["i00", "i01"], ["i00"], []]
    everything = sparse.csr_matrix(([1.0, 2.0], ([1, 0], [5, 1])), shape=(6, 6), dtype="float32")
    known = replace(small.catalogue(), transitions=everything)
    model = SpaceTime(known, item_tables(known, CPU), defaults.train, (30.0, 3.0))
    then = as_of(earlier, SpaceTimeScorer("m", known, model), 5 * small.HOUR_S, tmp_path / "earlier.parquet")
    assert then.model is model
    assert then.tables.leaves.tolist() == [[1, 0, 0, 0, 0, 0]]  # of u0, from i00 to i01
    assert then.tables.successor[0, 0].tolist() == [1]
    assert then.tables.trending.tolist() == [[0, 1]]
    assert (then.biases[0] > then.biases[1]) & (then.biases[1] > then.biases[5])  # i00 twice, i01 once, i05 not yet
