"""Claim: recall@10 above user frequency and item neighbours by more than the interval of the paired difference.

    python -m benchmarks.next_basket --data FOLDER --out DIR

FOLDER holds online_retail/ and complete_journey/, read through conf/sources. A basket is what a user buys on a day of
the shop's clock; only purchases count, of items that ingest accepts.

Protocol: the last `--test-days` days of a log are the test. Every basket in them is asked the night before: known are
the user's purchases up to that midnight, and the hour of the basket, but nothing of its day. Models, similarities and
counts over all users stop at the beginning of the test; the days before it, as many, tell when training stops and which
weights the count blend gets. Candidates are all items sold before the test; others are misses. What was bought before
may be bought again and is ranked. Ties count against a contestant.

online_retail asks for the basket: recall@10 is the share of its items among the first ten, mean over baskets.
complete_journey asks for products one by one, for its baskets were cut by sampling: recall@10 is the share of the
purchased items that stand among the first ten of their basket's list.

It prints recall@10, and the mean difference of the model from each yardstick over the same queries with its interval,
clustered by user (`chronotope.evaluate.means`, as the gate does). It writes DIR/predictions.parquet: shop, model, seed,
user_id, day_s (epoch seconds of the midnight), items, ranks (of the items) and top20. The summary goes to
benchmarks/results/next_basket.json.
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
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from benchmarks.basket_models import contestants, predicted
from benchmarks.report import RESULTS, ROOT, report
from benchmarks.shops import Log, Shop
from chronotope.evaluate.gate import against
from chronotope.evaluate.means import means, standard_errors
from chronotope.store.session import open_session

ASKED = {"online_retail": "basket", "complete_journey": "product"}
CLAIMED = ("user_frequency", "item_neighbours")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    options = parsed(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("chronotope").setLevel(logging.INFO)
    spark = open_session("next_basket", ROOT / "conf" / "spark" / "local.conf")
    rows, kept = [], {}
    for name in options.shops:
        started = time.monotonic()
        shop = Shop.of(name, options.data, options.set, options.test_days)
        with tempfile.TemporaryDirectory() as folder:
            log = shop.log(spark, Path(folder))
            zone = shop.settings.night.time_zone
            found = [
                predicted(log.known(), log.baskets, *of, zone)
                for of in contestants(shop, log, options.seeds, Path(folder))
            ]
        rows.append(pd.concat(found, ignore_index=True).assign(shop=name))
        kept[name] = {**told(log), **compared(spark, rows[-1], ASKED[name], shop.settings.evaluate.confidence)}
        kept[name]["seconds"] = round(time.monotonic() - started)
        print(pd.DataFrame(kept[name]["recall@10"]).T.to_string(), flush=True)
    spark.stop()
    options.out.mkdir(parents=True, exist_ok=True)
    pd.concat(rows, ignore_index=True).to_parquet(options.out / "predictions.parquet", index=False)
    claim = "recall@10 above user frequency and item neighbours by more than the interval of the paired difference"
    report("next_basket", {"claim": claim, "test_days": options.test_days, **kept}, options.results)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--shops", nargs="+", choices=list(ASKED), default=list(ASKED), metavar="SHOP")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1], help="one training each (default: 1)")
    parser.add_argument("--test-days", type=int, default=28, help="the last days of each log (default: 28)")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", help="override a setting")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the summary goes")
    return parser.parse_args(arguments)


def told(log: Log) -> dict[str, Any]:
    """How much was asked."""
    baskets = log.baskets
    return {
        "items": len(log.then.item_ids),
        "baskets": len(baskets),
        "products": int(baskets["items"].str.len().sum()),
        "users": int(baskets["user_id"].nunique()),
    }


def recalls(predictions: pd.DataFrame, asked: str) -> pd.DataFrame:
    """recall@10 per query, one row each, mean over the seeds: user_id, and a column per model.

    Args:
        predictions: model, seed, user_id, day_s and ranks.
        asked: `basket`, a query is a basket and its recall the share of its items at rank 10 or better; `product`, a
            query is an item of a basket, and its recall is 1 or 0.

    """
    rows = predictions[["model", "seed", "user_id", "day_s", "ranks"]].explode("ranks")
    rows["hit"] = (rows["ranks"].astype(int) <= 10).astype(float)
    query = ["user_id", "day_s"]
    if asked == "product":
        rows["place"] = rows.groupby(["model", "seed", *query]).cumcount()
        query = [*query, "place"]
    wide = rows.pivot_table(index=query, columns="model", values="hit", aggfunc="mean", sort=False)
    return wide.reset_index().drop(columns=query[1:])


def compared(spark: SparkSession, predictions: pd.DataFrame, asked: str, confidence: float) -> dict[str, Any]:
    """recall@10 of each model, and of the model less each yardstick, with intervals clustered by user.

    Returns:
        `recall@10`, model to value, low and high; `difference`, yardstick to the same; `claim_met`, whether the lower
        bounds of the differences from the yardsticks of `CLAIMED` are above zero.

    """
    queries = recalls(predictions, asked)
    nothing = F.lit("")  # one group: there is no model, protocol or slice to tell apart
    frame = spark.createDataFrame(queries).withColumns(
        {"model": nothing, "protocol": nothing, "slices": F.array(nothing)}
    )
    names = [name for name in queries if name != "user_id"]
    metrics = {name: F.col(name) for name in names}
    metrics |= {against(name): F.col("chronotope") - F.col(name) for name in names if name != "chronotope"}
    rows = means(frame, metrics, standard_errors(confidence), bounded=False).collect()
    found = {row["metric"]: {of: round(row[of], 4) for of in ("value", "low", "high")} for row in rows}
    differences = {name: found[against(name)] for name in names if name != "chronotope"}
    return {
        "recall@10": {name: found[name] for name in names},
        "difference": differences,
        "claim_met": all(differences[name]["low"] > 0 for name in CLAIMED),
    }


if __name__ == "__main__":
    main()
