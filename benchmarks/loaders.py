"""Claim: the default loader gives training its rows at least as fast as petastorm, in no more memory, and neither takes
more memory from epoch to epoch.

    .venv-oldest/bin/python -m benchmarks.loaders

Runs in the environment of `scripts/setup --oldest`, the only one that has petastorm. Histories of made-up ratings of
the size of MovieLens-1M are written by Spark as stage train has them written (not timed). Then each loader gives all
its frames for some epochs, files in another order in each, in a process of its own and by turns, so that what else the
machine does meets both; the fastest round of each counts, and the largest memory. The result goes to
benchmarks/results/loaders.json.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmarks import generated
from benchmarks.measured import measured, peak_gib
from benchmarks.prepared import Stages
from benchmarks.report import ROOT, report
from benchmarks.session import session
from chronotope.config import load_settings
from chronotope.train.examples import frames
from chronotope.train.loading import loader_of

LOADERS = ("parquet", "petastorm")


def history_files(folder: Path, seed: int) -> list[Path]:
    """Parquet files of histories, written by Spark, which is stopped again."""
    made = generated.ratings(seed)
    plain = made.assign(occurred_at=pd.to_datetime(made["timestamp"], unit="s", utc=True), utc_offset_min=0)
    spark = session("loaders", folder)
    settings = load_settings(ROOT / "conf" / "chronotope.yaml")
    files = Stages(spark, settings, folder).history_files(plain.drop(columns="timestamp"))
    spark.stop()
    return files


def read(name: str, files: Sequence[Path], epochs: int) -> tuple[int, list[float], list[float]]:
    """The rows of an epoch, the seconds of each epoch, and the largest memory (GiB) before them and after each."""
    load = loader_of(name)
    seconds, memory_gib = [], [peak_gib()]
    for epoch in range(epochs):
        started = time.perf_counter()
        rows = sum(len(frame) for frame in frames(files, np.random.default_rng(epoch), load))
        seconds.append(time.perf_counter() - started)
        memory_gib.append(peak_gib())
    return rows, seconds, memory_gib


def compare(files: Sequence[Path], epochs: int, rounds: int) -> dict[str, object]:
    """The figures of both loaders."""
    rates: dict[str, list[float]] = {name: [] for name in LOADERS}
    peaks: dict[str, list[list[float]]] = {name: [] for name in LOADERS}
    for turn in range(rounds):
        for name in LOADERS:
            rows, seconds, memory_gib = measured(read, name, files, epochs).value
            rates[name].append(rows * epochs / sum(seconds))
            peaks[name].append(memory_gib)
            print(f"round {turn + 1}: {name} {rates[name][-1]:.0f} rows/s, {memory_gib[-1]:.2f} GiB", flush=True)
    largest = {name: np.max(of, axis=0).round(3).tolist() for name, of in peaks.items()}
    return {
        "rows": rows,
        "epochs": epochs,
        "rounds": rounds,
        "files": len(files),
        "row_groups": sum(pq.ParquetFile(path).num_row_groups for path in files),
        "rows_per_s": {name: round(max(of)) for name, of in rates.items()},
        "peak_gib": {name: of[-1] for name, of in largest.items()},
        "peak_gib_before_and_after_each_epoch": largest,
        "ratios": {
            "rows per second, parquet / petastorm (at least 1)": round(
                max(rates["parquet"]) / max(rates["petastorm"]), 2
            ),
            "peak memory, parquet / petastorm (at most 1)": round(largest["parquet"][-1] / largest["petastorm"][-1], 2),
            **{
                f"peak memory, {name}, last epoch / first (about 1)": round(of[-1] / of[1], 2)
                for name, of in largest.items()
            },
        },
    }


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--epochs", type=int, default=5, help="epochs per round (default: 5)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: 3)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        files = history_files(Path(name), seed=7)
        figures = compare(files, args.epochs, args.rounds)
    report("loaders", figures)


if __name__ == "__main__":
    main()
