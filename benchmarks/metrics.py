"""Claim: all metrics of 1 million recommendations take less time than RePlay's Spark metrics, with equal values.

    python -m benchmarks.metrics

100,000 lists of ten items, and one to six items that each of their users then met. Ours is what a night does: events
meet the lists (`feedback`, written), and `evaluate_published` makes all metrics of all lengths with their intervals,
also F1 and novelty, which RePlay has not, or defines otherwise. RePlay's `OfflineMetrics` makes hit rate, precision,
recall, NDCG, MAP, MRR and coverage of the same lengths, without intervals; it runs in an environment of its own
(`benchmarks/spark_peers/`), in a process after ours, with the same Spark settings, from the same files. Each has a
warm-up and then some runs, whose median counts. The result goes to benchmarks/results/metrics.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from benchmarks.report import ROOT, report
from benchmarks.session import session
from benchmarks.spark_peers.run import measured_peer
from chronotope.config import Settings, load_settings
from chronotope.evaluate.evaluations import evaluate_published
from chronotope.evaluate.feedback import feedback

K, N_ITEMS = 10, 5_000
NIGHT = dt.date(2026, 3, 2)
MET_AT = pd.Timestamp("2026-03-03T09:00Z")
# RePlay's names of the metrics with the same definition.
SAME = {
    "HitRate": "accuracy",
    "Precision": "precision",
    "Recall": "recall",
    "NDCG": "ndcg",
    "MAP": "map",
    "Coverage": "coverage",
}
EQUAL = 1e-9


def main() -> None:
    """Measure, compare, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=100_000, help="lists of ten items each")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    settings = load_settings(ROOT / "conf" / "chronotope.yaml", overrides=[f"evaluate.ks=[1, 5, {K}]"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder, args.users, np.random.default_rng(settings.night.seed))
        own_s, own = ours(folder, settings, args.runs)
        peer = measured_peer("replay_metrics", folder, args.runs, *map(str, settings.evaluate.ks))
    peer_s, compared = peer["seconds"], same_values(own, peer["values"])
    median = {"chronotope": statistics.median(own_s), "replay": statistics.median(peer_s)}
    figures = {
        "claim": "seconds for all metrics of a million recommendations, RePlay's over ours: above 1; values equal",
        "recommendations": args.users * K,
        "seconds": {"chronotope": [round(s, 2) for s in own_s], "replay": [round(s, 2) for s in peer_s]},
        "median_seconds": {name: round(value, 2) for name, value in median.items()},
        "ratio": round(median["replay"] / median["chronotope"], 2),
        "equal_values": {name: round(value, 6) for name, value in compared.items()},
    }
    report("metrics", figures)


def write_inputs(folder: Path, n_users: int, rng: np.random.Generator) -> None:
    """Lists, later events, and the items there are, as Parquet: `recommendations`, `events`, `items`."""
    users, items = ids("u", n_users), ids("i", N_ITEMS)
    # A start and a stride that has no factor in common with the number of items: no list shows an item twice.
    start, stride = rng.integers(0, N_ITEMS, n_users), 1 + 10 * rng.integers(0, N_ITEMS // 10, n_users)
    shown = (start[:, None] + stride[:, None] * np.arange(K)) % N_ITEMS
    context = {"daypart": "weekday_morning", "region": "bench:r0"}
    lists = pd.DataFrame({"user_id": np.repeat(users, K), "item_id": items[shown.ravel()], **context})
    lists["rank"] = np.tile(np.arange(1, K + 1, dtype=np.int32), n_users)
    times = rng.integers(1, 7, n_users)
    who = np.repeat(np.arange(n_users), times)
    from_list = shown[who, rng.integers(0, K, len(who))]
    met = np.where(rng.random(len(who)) < 0.2, from_list, rng.integers(0, N_ITEMS, len(who)))
    events = pd.DataFrame({"user_id": users[who], "item_id": items[met], "region": context["region"]})
    events = events.drop_duplicates(ignore_index=True)
    events = events.assign(event_id=ids("e", len(events)), occurred_at=MET_AT, slot=np.int32(33))
    frames = {"recommendations": lists, "events": events, "items": pd.DataFrame({"item_id": items, "n": 1})}
    for name, frame in frames.items():
        (folder / name).mkdir()
        frame.to_parquet(folder / name / "part.parquet", index=False, row_group_size=100_000)


def ids(kind: str, n: int) -> np.ndarray:
    """So many names."""
    return np.array([f"bench:{kind}{number:06d}" for number in range(n)], dtype=object)


def ours(folder: Path, settings: Settings, runs: int) -> tuple[list[float], dict[str, float]]:
    """Seconds of each run after a warm-up, and the value of every metric over all lists."""
    spark = session("metrics", folder)
    found = [one_run(spark, folder, settings) for _ in range(runs + 1)]
    spark.stop()
    return [seconds for seconds, _ in found[1:]], found[0][1]


def one_run(spark: SparkSession, folder: Path, settings: Settings) -> tuple[float, dict[str, float]]:
    """Lists and events in, metrics out: seconds and values."""
    started = time.perf_counter()
    lists, events, items = (spark.read.parquet(str(folder / name)) for name in ("recommendations", "events", "items"))
    tomorrow = NIGHT + dt.timedelta(days=1)
    met = feedback(lists, events, "bench", NIGHT, tomorrow, settings)
    met.write.mode("overwrite").parquet(str(folder / "feedback"))
    written = spark.read.parquet(str(folder / "feedback"))
    rows = evaluate_published(written, items, settings.evaluate, tomorrow).where(F.col("slice") == "all").collect()
    return time.perf_counter() - started, {row["metric"]: row["value"] for row in rows}


def same_values(own: Mapping[str, float], peer: Mapping[str, float]) -> dict[str, float]:
    """The values of what both define alike; our mrr is of whole lists, which are of `K` items.

    Raises:
        ValueError: when one of them differs.

    """
    found = [(*name.split("@"), value) for name, value in peer.items()]
    named = {f"{SAME[kind]}@{k}": value for kind, k, value in found if kind in SAME} | {"mrr": peer[f"MRR@{K}"]}
    wrong = {name: (own[name], value) for name, value in named.items() if abs(own[name] - value) > EQUAL}
    if wrong:
        raise ValueError(f"ours and RePlay's differ: {wrong}")
    return named


if __name__ == "__main__":
    main()
