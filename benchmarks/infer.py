"""Claim: stage infer keeps at least 80 % of the sequences per second of a plain torch loop with the same batches.

    python -m benchmarks.infer

Both use one core. The plain loop reads the histories with pandas, sorts them by length, pads, and runs the model batch
by batch in this process; the stage does the same through Spark (`user_states`, one Python worker), rows in and out
included. The model has its starting weights, for training changes no cost. They take turns; the median of each counts.
The result goes to benchmarks/results/infer.json.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.recommend import NIGHT, loader, make_catalogue, make_user
from benchmarks.report import ROOT, report
from benchmarks.session import session
from benchmarks.turns import measure
from chronotope.config import Settings, load_settings
from chronotope.infer.states import at_the_end, user_states
from chronotope.train.batches import by_length, users_of
from chronotope.train.scoring import Scorer

LIMIT = 0.8
MODEL = "space_time"


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--users", type=int, default=40_000)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    settings = load_settings(ROOT / "conf" / "chronotope.yaml", overrides=["infer.device=cpu"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spark = session("infer benchmark", folder, cores=1)
        path = folder / "histories.parquet"
        rng = np.random.default_rng(settings.night.seed)
        catalogue = make_catalogue(settings, options.items, rng)
        pd.to_pickle(catalogue, folder / "catalogue.pickle")
        users = pd.DataFrame([make_user(n, catalogue, 1, rng) for n in range(options.users)])
        users.drop(columns=["contexts", "hidden"]).to_parquet(path, row_group_size=10_000)
        load = loader(MODEL, folder, settings)
        scorer = load()

        def stage() -> None:
            found = user_states(spark.read.parquet(str(path)), load, settings, NIGHT)
            found.write.format("noop").mode("overwrite").save()

        seconds = measure({"plain": lambda: plain(path, scorer, settings), "stage": stage}, options.runs)
    rates = {way: options.users / statistics.median(of) for way, of in seconds.items()}
    figures = {
        "claim": f"at least {LIMIT:.0%} of the sequences per second of a plain torch loop",
        "sequences_per_second": {way: round(rate) for way, rate in rates.items()},
        "ratio": round(rates["stage"] / rates["plain"], 2),
        "options": vars(options),
    }
    report("infer", figures)


def plain(path: Path, scorer: Scorer, settings: Settings) -> None:
    """What one would write without Spark."""
    for frame in by_length(iter([pd.read_parquet(path)]), settings.infer.batch_users):
        users = users_of(frame, scorer.catalogue)
        scorer.encode(users, at_the_end(users))


if __name__ == "__main__":
    main()
