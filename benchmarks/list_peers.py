"""The peers of `benchmarks.recommend`: as many lists of as many items, from factors of one size.

A peer knows no contexts, so each list that we make is a user of theirs with the same history.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peers.environment import peers_python
from benchmarks.report import ROOT
from benchmarks.spark_peers.run import measured_peer

PEERS = ("implicit", "spark", "replay")


def seconds_of(folder: Path, item_ids: list[str], n_lists: int, k: int, factors: int, runs: int) -> dict[str, Any]:
    """The seconds that each of `PEERS` takes for the lists, run by run, warm-up left out.

    Args:
        folder: holds `histories.parquet` and `spark.conf`; the peers' files go there too.
        item_ids: of the catalogue; their order gives the peers' numbers.
        n_lists: made out of the users of the histories, each of them as often as needed.
        k: items per list.
        factors: size of the peers' vectors.
        runs: that count.

    """
    write_interactions(folder, item_ids, n_lists)
    command = ["-m", "benchmarks.peers.als_lists", folder, str(runs + 1), str(k), str(factors)]
    said = subprocess.run([peers_python(None), *command], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found = {"implicit": json.loads(said.stdout.splitlines()[-1])}
    found["implicit"]["seconds"] = found["implicit"]["seconds"][1:]
    for peer in PEERS[1:]:
        found[peer] = measured_peer("als_lists", folder, runs, peer, str(k), str(factors))
    short = {peer: of["lists"] for peer, of in found.items() if of["lists"] != n_lists}
    if short:
        raise ValueError(f"peers that did not make {n_lists} lists: {short}")
    return {peer: of["seconds"] for peer, of in found.items()}


def write_interactions(folder: Path, item_ids: list[str], n_lists: int) -> None:
    """`interactions.parquet`: user and item, numbered from 0, and how often (n), each pair once."""
    histories = pd.read_parquet(folder / "histories.parquet", columns=["item_id"])["item_id"]
    steps = pd.concat([histories] * -(-n_lists // len(histories)), ignore_index=True)[:n_lists].explode()
    item = pd.Index(item_ids).get_indexer(steps)
    rows = pd.DataFrame({"user_id": steps.index.to_numpy(np.int32), "item_id": item.astype(np.int32)})
    counted = rows.value_counts(sort=False).rename("n").astype(np.float32).reset_index()
    counted.to_parquet(folder / "interactions.parquet", index=False)
