"""Claim: stage recommend makes 10,000 lists a second on 2 cores, through Spark and written to Parquet: half as many as
implicit's recommend in memory, and more than Spark's recommendForAllUsers and RePlay's predict.

    python -m benchmarks.recommend
    python -m benchmarks.recommend --model space_time --runs 15

One list is one user in one context, top 10, with bought items hidden. 5,000 items in 20 regions, 50 steps per user;
every run reads histories, forecasts, states and hidden items from Parquet and writes the whole table. The first run is
a warm-up, of the peers' too; later ones still get faster, so few runs tell less than many. The space-time model has its
starting weights, for training changes no cost, and its states come from stage infer, which is not timed. The peers make
as many lists of as many items from factors of the size of our item vectors, one after the other when ours are made (see
`benchmarks.list_peers`); they give no parts and no reasons, and Spark's hides no items. The result goes to
benchmarks/results/recommend_MODEL.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import functools
import pickle
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pyspark.sql import SparkSession
from scipy import sparse

from benchmarks.list_peers import seconds_of
from benchmarks.report import ROOT, report
from benchmarks.session import session
from chronotope.config import Settings, load_settings
from chronotope.infer.states import user_states
from chronotope.recommend.recommendations import recommendations
from chronotope.slots import daypart_names
from chronotope.train.blend import KINDS, START, CountBlend
from chronotope.train.scorer import SpaceTimeScorer
from chronotope.train.scoring import Catalogue, Scorer
from chronotope.train.space_time import SpaceTime
from chronotope.train.tables import item_tables

INPUTS = ("histories", "forecasts", "hidden", "states")
LIMIT = 10_000  # lists per second
N_REGIONS, N_STEPS, N_HIDDEN, N_CATEGORIES, N_TOPICS = 20, 50, 10, 60, 3
NIGHT = dt.date(2012, 10, 31)
NIGHT_END = dt.datetime(2012, 11, 1, tzinfo=dt.UTC)


def make_catalogue(settings: Settings, n_items: int, rng: np.random.Generator) -> Catalogue:
    """Items around 20 region centres within a city, with popularity after Zipf."""
    dayparts = list(settings.night.dayparts)
    region = rng.integers(0, N_REGIONS, n_items)
    centres = np.array([40.7, -74.0]) + rng.normal(0, 0.1, (N_REGIONS, 2))
    lat, lon = (centres[region] + rng.normal(0, 0.02, (n_items, 2))).T
    events = rng.poisson(30 / np.sqrt(1 + np.arange(n_items)), (len(dayparts), n_items))
    rows = (1 + region[None, :]) * len(dayparts) + np.arange(len(dayparts))[:, None]
    columns = np.broadcast_to(np.arange(n_items), rows.shape)
    shape = ((1 + N_REGIONS) * len(dayparts), n_items)
    by_region = sparse.csr_matrix((events.ravel(), (rows.ravel(), columns.ravel())), shape=shape, dtype=np.float32)
    overall = sparse.vstack([sparse.csr_matrix(events), sparse.csr_matrix((shape[0] - len(dayparts), n_items))])
    followers = rng.integers(0, n_items, 20 * n_items)
    followed = (np.ones(followers.size, np.float32), (np.repeat(np.arange(n_items), 20), followers))
    vectors = rng.normal(size=(n_items, 384)).astype(np.float32)
    return Catalogue(
        item_ids=[f"bench:i{n:06d}" for n in range(n_items)],
        categories=[f"category {n}" for n in rng.integers(0, N_CATEGORIES, n_items)],
        languages=["Latn"] * n_items,
        lat=lat,
        lon=lon,
        region=region,
        embedding=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        gone=np.zeros(n_items, bool),
        regions=[f"region{n:02d}" for n in range(N_REGIONS)],
        actions=sorted(settings.ingest.actions),
        dayparts=dayparts,
        daypart_of_slot=np.array([dayparts.index(name) for name in daypart_names(settings.night.dayparts)]),
        popularity=sparse.csr_matrix(by_region + overall),
        transitions=sparse.csr_matrix(followed, shape=(n_items, n_items)),
        visitors=np.maximum(1.0, events.sum(axis=0) / 3).astype(np.float32),
        trending=(events.sum(axis=0) / 4).astype(np.float32),
    )


def make_user(number: int, catalogue: Catalogue, n_contexts: int, rng: np.random.Generator) -> dict[str, object]:
    """One user of two regions: 50 steps, half of them on favourites; likely contexts and bought items."""
    home = rng.choice(N_REGIONS, 2, replace=False)
    around = np.flatnonzero(np.isin(catalogue.region, home))
    favourites = rng.choice(around, 8)
    item = np.where(rng.random(N_STEPS) < 0.5, rng.choice(favourites, N_STEPS), rng.choice(around, N_STEPS))
    at_s = NIGHT_END.timestamp() - np.sort(rng.uniform(0, 60 * 86400, N_STEPS))[::-1]
    pairs = [(daypart, catalogue.regions[region]) for region in home for daypart in catalogue.dayparts]
    return {
        "user_id": f"bench:u{number:06d}",
        "event_id": [f"{number:016x}{step:016x}" for step in range(N_STEPS)],
        "item_id": [catalogue.item_ids[j] for j in item],
        "action": rng.choice(["view", "buy"], N_STEPS).tolist(),
        "occurred_at_s": at_s.tolist(),
        "slot": rng.integers(0, 168, N_STEPS).tolist(),
        "region": [catalogue.regions[region] for region in catalogue.region[item]],
        "lat": catalogue.lat[item].tolist(),
        "lon": catalogue.lon[item].tolist(),
        "gap_s": [None, *np.diff(at_s).tolist()],
        "distance_m": [None, *rng.uniform(0, 9000, N_STEPS - 1).tolist()],
        "contexts": pairs[:n_contexts],
        "hidden": [catalogue.item_ids[j] for j in rng.choice(around, N_HIDDEN)],
    }


def write_inputs(
    spark: SparkSession, folder: Path, catalogue: Catalogue, n_users: int, n_contexts: int, seed: int
) -> None:
    """Histories, forecasts and hidden items as Parquet files."""
    rng = np.random.default_rng(seed)
    users = pd.DataFrame([make_user(n, catalogue, n_contexts, rng) for n in range(n_users)])
    asked = users[["user_id", "contexts"]].explode("contexts")
    asked[["daypart", "region"]] = asked.pop("contexts").tolist()
    asked["context_probability"] = 1 / n_contexts
    forecasts = asked.merge(pd.DataFrame({"topic": [f"topic {n}" for n in range(N_TOPICS)]}), how="cross")
    hidden = users[["user_id", "hidden"]].explode("hidden").rename(columns={"hidden": "item_id"}).drop_duplicates()
    frames = {"histories": users.drop(columns=["contexts", "hidden"]), "forecasts": forecasts, "hidden": hidden}
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", row_group_size=250)  # small: tasks of equal size


def load_scorer(model: str, path: str, settings: Settings) -> Scorer:
    """The model on the saved catalogue."""
    torch.set_num_threads(1)  # one of the two cores per Python worker
    with open(path, "rb") as file:
        catalogue = pickle.load(file)
    if model == "counts":
        return CountBlend(catalogue, dict.fromkeys(KINDS, START), model)
    torch.manual_seed(settings.night.seed)
    tables = item_tables(catalogue, torch.device("cpu"))
    half_lives_days = (settings.interest.half_life_long_days, settings.interest.half_life_short_days)
    return SpaceTimeScorer(model, catalogue, SpaceTime(catalogue, tables, settings.train, half_lives_days))


def loader(model: str, folder: Path, settings: Settings) -> Callable[[], Scorer]:
    """What a worker calls."""
    return functools.partial(load_scorer, model, str(folder / "catalogue.pickle"), settings)


def one_run(spark: SparkSession, folder: Path, settings: Settings, model: str) -> tuple[int, float]:
    """Lists written, and the seconds from the first read to the last file."""
    started = time.perf_counter()
    read = {name: spark.read.parquet(str(folder / f"{name}.parquet")) for name in INPUTS}
    frame = recommendations(
        read["histories"],
        read["forecasts"],
        read["states"],
        read["hidden"],
        loader(model, folder, settings),
        model,
        settings,
        NIGHT_END,
        NIGHT,
    )
    frame.write.mode("overwrite").parquet(str(folder / "recommendations"))
    seconds = time.perf_counter() - started
    written = spark.read.parquet(str(folder / "recommendations"))
    return written.where("rank = 1 and user_id != '*'").count(), seconds


def main() -> None:
    """Print and keep the median of the runs and its ratio to the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--contexts", type=int, default=6, help="lists per user")
    parser.add_argument("--model", choices=["counts", "space_time"], default="counts")
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    settings = load_settings(ROOT / "conf" / "chronotope.yaml", overrides=["recommend.seen=hide", "recommend.k=10"])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spark = session("recommend benchmark", folder)
        catalogue = make_catalogue(settings, args.items, np.random.default_rng(settings.night.seed))
        (folder / "catalogue.pickle").write_bytes(pickle.dumps(catalogue))
        write_inputs(spark, folder, catalogue, args.users, args.contexts, settings.night.seed)
        histories = spark.read.parquet(str(folder / "histories.parquet"))
        states = user_states(histories, loader(args.model, folder, settings), settings, NIGHT)
        states.write.parquet(str(folder / "states.parquet"))
        print("warm-up", *one_run(spark, folder, settings, args.model))
        measured = [one_run(spark, folder, settings, args.model) for _ in range(args.runs)]
        spark.stop()
        lists, k = measured[0][0], settings.recommend.k
        peers = seconds_of(folder, catalogue.item_ids, lists, k, settings.train.dim, args.runs)
    rates = [lists / seconds for lists, seconds in measured]
    median = statistics.median(rates)
    peer_rates = {peer: lists / statistics.median(seconds) for peer, seconds in peers.items()}
    figures = {
        "claim": f"at least {LIMIT:,} lists per second on 2 cores with 5,000 items",
        "model": args.model,
        "lists": measured[0][0],
        "items": args.items,
        "lists_per_s": [round(rate) for rate in rates],
        "median_lists_per_s": round(median),
        "ratio_to_limit": round(median / LIMIT, 2),
        "peers_lists_per_s": {peer: round(rate) for peer, rate in peer_rates.items()},
        "ratio_to_peers": {peer: round(median / rate, 2) for peer, rate in peer_rates.items()},
    }
    report(f"recommend_{args.model}", figures)


if __name__ == "__main__":
    main()
