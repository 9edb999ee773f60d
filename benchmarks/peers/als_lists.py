"""Lists of implicit's ALS, from the interactions of a folder. Runs in the environment of the peers of models.

    python -m benchmarks.peers.als_lists FOLDER RUNS K FACTORS

FOLDER holds what `benchmarks.list_peers` wrote. Timed is `recommend` of all users in memory, items seen left out; one
iteration of training is not, for more would change no cost. The last line printed is JSON: the seconds of each run, the
first of them a warm-up, and the number of lists.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from implicit.cpu.als import AlternatingLeastSquares
from scipy import sparse


def main(folder: str, runs: str, k: str, factors: str) -> None:
    """Measure and print."""
    seen = pd.read_parquet(Path(folder) / "interactions.parquet")
    matrix = sparse.csr_matrix((seen["n"].to_numpy(np.float32), (seen["user_id"], seen["item_id"])))
    model = AlternatingLeastSquares(factors=int(factors), iterations=1)
    model.fit(matrix, show_progress=False)
    seconds, users = [], np.arange(matrix.shape[0])
    for _ in range(int(runs)):
        started = time.perf_counter()
        items, _ = model.recommend(users, matrix, N=int(k), filter_already_liked_items=True)
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"seconds": seconds, "lists": len(items)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
