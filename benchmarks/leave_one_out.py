"""Claim: NDCG@10 at least 1.15 times that of the best of ALS, BM25 item neighbours, Markov counts and SASRec.

    python -m benchmarks.leave_one_out --ratings FILE [--items FILE] --out DIR
    python -m benchmarks.leave_one_out --generate ml1m --out DIR      # for timing

FILE is Parquet, CSV or MovieLens' own `.dat` with columns of users, items and times, which may have many names and
kinds (see `benchmarks/ratings.py`; what was taken is printed); ties in time go by the position in the file. The last
item of each user is the test, the one before it validation.

Protocol, the same for all contestants. Candidates are all items that occur in the histories known when it is asked:
for the test, all rows but the test's own. A test item that occurs nowhere there is a miss, never left out. Items that
the user has already met are not ranked, as is usual for film ratings (the published figures of RecTools and
bert4rec_repro filter them), nor does the model learn to rank them; `--seen keep` ranks them, for logs in which people
repeat themselves. Ties count against a contestant. The time of the asked item is told to nobody, and no clock is
known: the model sees the gaps between past steps, but no hour.

Peers run in an environment of their own (`benchmarks/peers/`; made on first use, or `--peers-python`), are tuned over
`benchmarks/peers/grids.py` on validation, fitted again with validation joined, and scored on the test once for each
seed. From 300,000 rows on they run with `--peers` only, for that takes long; the model's predictions are written, and
its figures printed, before. The model is `chronotope.train.fit` with those settings of `benchmarks/own_model.py` that
are best on validation (a wide sequence encoder with memory, or without; the latter alone from 300,000 rows on) and
`--set`. The validation items choose, tell it when to stop, and stand in its history when the test is asked. From
300,000 rows on training ends half an hour after the program began, but has five minutes at least (`train.max_minutes`).

It prints NDCG@10, HitRate@10, MRR (standard errors over users) and coverage@10, and writes DIR/predictions.parquet:
model, seed, user_id, item_id (the truth), rank, top20. The summary goes to benchmarks/results/leave_one_out.json,
or leave_one_out_ml1m.json for made-up ratings of that size (`benchmarks/generated.py`).
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.contest import Tuned, contest
from benchmarks.generated import ratings as generated
from benchmarks.own_model import LARGE_ROWS, Log, Own, own
from benchmarks.peers.environment import peers_python
from benchmarks.prepared import Stages
from benchmarks.ranked import figures, table
from benchmarks.ratings import Split, in_order, read_items, read_ratings, split, tell_texts
from benchmarks.report import RESULTS, ROOT, report
from chronotope.config import Settings, load_settings
from chronotope.store.session import open_session
from chronotope.train.scoring import Catalogue

CLAIM = 1.15  # times the best peer's NDCG@10
GENERATOR_SEED = 20260101


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    options = parsed(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("chronotope").setLevel(logging.INFO)
    started = time.monotonic()
    parts = split(rows_of(options))
    n_items = parts.known["item_id"].nunique()
    items = read_items(options.items) if options.items else None
    if items is not None:
        tell_texts(parts.known, items)
    reading_s = time.monotonic() - started
    # Before the training, for what cannot be installed is to be told before it.
    python = peers_python(options.peers_python) if with_peers(options, parts) else None
    started = time.monotonic() - reading_s  # what the peers' environment takes to make is nobody's time
    model = ours(parts, items, options, started)
    seconds = {"chronotope": round(time.monotonic() - started)}
    found = kept_figures([model.predictions], n_items, options.out)
    peers: dict[str, Tuned] = {}
    if python:
        peers = contest(parts, options.seen == "hide", options.seeds, python)
        found = kept_figures([model.predictions, *(of.predictions for of in peers.values())], n_items, options.out)
    seconds["all"] = round(time.monotonic() - started)
    sizes = {"users": len(parts.test), "items": n_items, "rows": len(parts.known) + len(parts.test)}
    kept = {
        "claim": f"NDCG@10 at least {CLAIM} times the best peer's",
        **sizes,
        **told(found, peers, model),
        "seconds": seconds,
    }
    report("leave_one_out" if options.ratings else f"leave_one_out_{options.generate}", kept, options.results)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--ratings", type=Path, metavar="FILE")
    source.add_argument("--generate", choices=["ml1m"], help="made-up ratings of that size")
    parser.add_argument("--items", type=Path, metavar="FILE", help="item_id with text, or title and category")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="of every contestant (default: 1)")
    parser.add_argument("--seen", choices=["hide", "keep"], default="hide", help="items that the user has met")
    parser.add_argument(
        "--peers",
        action=argparse.BooleanOptionalAction,
        help=f"default: up to {LARGE_ROWS:,} rows; else the model alone",
    )
    parser.add_argument("--peers-python", type=Path, metavar="PYTHON", help="of an environment with the peers")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", help="override a setting")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the summary goes")
    return parser.parse_args(arguments)


def with_peers(options: argparse.Namespace, parts: Split) -> bool:
    """Whether the peers run: as it is asked for, else on small files."""
    if options.peers is None and len(parts.known) >= LARGE_ROWS:
        print(f"{len(parts.known):,} rows: the model alone; --peers adds the others, which takes long", flush=True)
        return False
    return options.peers is not False


def kept_figures(predictions: Sequence[pd.DataFrame], n_items: int, out: Path) -> pd.DataFrame:
    """Write the predictions of all contestants so far, and print and return their figures."""
    rows = pd.concat(predictions, ignore_index=True)
    out.mkdir(parents=True, exist_ok=True)
    named = rows[["model", "seed", "user_id", "item_id", "rank", "top20"]]
    named.to_parquet(out / "predictions.parquet", index=False)
    found = figures(rows, n_items)
    print(table(found), flush=True)
    return found


def rows_of(options: argparse.Namespace) -> pd.DataFrame:
    """The ratings that are asked for, as `read_ratings` gives them."""
    if options.ratings:
        return read_ratings(options.ratings)
    made = generated(GENERATOR_SEED).astype({"user_id": str, "item_id": str}).rename(columns={"timestamp": "at_s"})
    return in_order(made)


def ours(parts: Split, items: pd.DataFrame | None, options: argparse.Namespace, started: float) -> Own:
    """The predictions of the product's own model, one training per seed; the program started then, `time.monotonic`."""
    config = ROOT / "conf" / "chronotope.yaml"
    settings = load_settings(config, overrides=options.set)
    with tempfile.TemporaryDirectory() as name:
        files, catalogue = prepared(parts, items, settings, Path(name))
        log = Log(files, catalogue, pd.concat([pd.read_parquet(file) for file in files], ignore_index=True))
        hide_seen = options.seen == "hide"
        return own(parts, log, hide_seen, options.seeds, config, options.set, Path(name), started)


def prepared(
    parts: Split, items: pd.DataFrame | None, settings: Settings, folder: Path
) -> tuple[list[Path], Catalogue]:
    """The files of histories and the catalogue, of all that is known when the test is asked; all that needs Spark."""
    plain = plain_of(parts.known, items)
    spark = open_session("leave_one_out", ROOT / "conf" / "spark" / "local.conf")
    try:
        stages = Stages(spark, settings, folder)
        return stages.history_files(plain), stages.catalogue(plain)
    finally:
        spark.stop()


def plain_of(known: pd.DataFrame, items: pd.DataFrame | None) -> pd.DataFrame:
    """The rows as plain events of `benchmarks.prepared`, without a clock, with what is told of their items."""
    plain = known.assign(occurred_at=pd.to_datetime(known["at_s"], unit="s", utc=True), action="rate")
    return plain if items is None else plain.merge(items[["item_id", "text", "category"]], on="item_id", how="left")


def told(found: pd.DataFrame, peers: dict[str, Tuned], model: Own) -> dict[str, Any]:
    """What the results keep of the figures and of the peers' tuning."""
    models: dict[str, Any] = {}
    for row in found.itertuples():
        values = [None if pd.isna(x) else round(x, 4) for x in (row.value, row.error, row.spread)]
        models.setdefault(row.model, {})[row.metric] = values
    ndcg = found[found["metric"] == "NDCG@10"].set_index("model")["value"]
    best = ndcg.drop("chronotope").idxmax() if peers else None
    tuned = {
        name: {
            "settings": dict(of.settings),
            "validation_ndcg": round(of.validation_ndcg, 4),
            "seconds": round(of.seconds),
        }
        for name, of in peers.items()
    }
    ratio = {"best_peer": best, "ratio_to_best_peer": round(ndcg["chronotope"] / ndcg[best], 3)} if best else {}
    tuned["chronotope"] = {
        "settings": model.choice,
        "validation_ndcg": {name: round(value, 4) for name, value in model.validation_ndcg.items()},
    }
    return {"value_error_spread": models, **ratio, "tuned": tuned}


if __name__ == "__main__":
    main()
