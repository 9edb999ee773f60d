"""Our side of the comparison of metrics, and what counts as equal."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import metrics


def test_lists_show_no_item_twice_and_events_are_distinct(tmp_path):
    metrics.write_inputs(tmp_path, 300, np.random.default_rng(1))
    lists, events = (pd.read_parquet(tmp_path / name) for name in ("recommendations", "events"))
    assert len(lists) == 3000
    assert (lists.groupby("user_id")["item_id"].nunique() == metrics.K).all()
    assert not events.duplicated(["user_id", "item_id"]).any()
    assert events["user_id"].nunique() == 300


def test_a_hit_and_a_miss_by_hand(spark, defaults, tmp_path):
    context = {"region": "r"}
    shown = [
        {"user_id": user, "item_id": f"i{n}", "rank": n, "daypart": "weekday_morning"} for user in "uv" for n in (1, 2)
    ]
    met = [{"user_id": user, "item_id": item, "event_id": user} for user, item in (("u", "i2"), ("v", "other"))]
    frames = {
        "recommendations": pd.DataFrame(shown).assign(**context),
        "events": pd.DataFrame(met).assign(**context, occurred_at=metrics.MET_AT, slot=np.int32(33)),
        "items": pd.DataFrame({"item_id": ["i1", "i2", "other"], "n": 1}),
    }
    for name, frame in frames.items():
        (tmp_path / name).mkdir()
        frame.to_parquet(tmp_path / name / "part.parquet", index=False)
    _, found = metrics.one_run(spark, tmp_path, defaults)
    assert found["accuracy@1"] == 0
    assert found["accuracy@10"] == found["recall@10"] == 0.5
    assert found["mrr"] == 0.25


def test_values_that_differ_end_the_comparison():
    own = {"accuracy@10": 0.5, "mrr": 0.25, "f1@10": 0.1}
    assert metrics.same_values(own, {"HitRate@10": 0.5, "MRR@10": 0.25}) == {"accuracy@10": 0.5, "mrr": 0.25}
    with pytest.raises(ValueError, match=r"accuracy@10"):
        metrics.same_values(own, {"HitRate@10": 0.4, "MRR@10": 0.25})
