"""What the peers of recommend read says the same as the histories."""

from __future__ import annotations

import pandas as pd

from benchmarks.list_peers import write_interactions


def test_each_list_is_a_user_with_a_whole_history(tmp_path):
    histories = pd.DataFrame({"user_id": ["u", "v"], "item_id": [["b", "a", "b"], ["c"]]})
    histories.to_parquet(tmp_path / "histories.parquet")

    write_interactions(tmp_path, ["a", "b", "c"], n_lists=3)

    found = pd.read_parquet(tmp_path / "interactions.parquet").sort_values(["user_id", "item_id"])
    assert found.to_numpy().tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 1], [2, 0, 1], [2, 1, 2]]
