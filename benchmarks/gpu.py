"""Claim: on executors that get a GPU from Spark, embed, infer and recommend compute on it and say what the CPU says.

    python -m benchmarks.gpu

Needs a machine with a GPU and torch's build for it; elsewhere it says so and exits with 3. One executor of four cores,
in a process of its own (Spark's local-cluster mode), gets the GPU through a discovery script, as `conf/spark/gpu.conf`
has it, and `auto` must find it. Printed are the rows per second of each stage through Spark on the GPU and on the CPU
of the same four cores, sentence_transformers on the same GPU in one process (embed), a plain torch loop on the same GPU
in one process (infer), and how far the numbers on the GPU are from those in fp32 on the CPU.

Texts are those of the demo's world, users and items those of `benchmarks.recommend`. Models are loaded and kernels are
warm before the clock starts; ways take turns and the median counts. Writes benchmarks/results/gpu.json.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyspark
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sentence_transformers import SentenceTransformer

from benchmarks.embed import run
from benchmarks.infer import plain
from benchmarks.recommend import NIGHT, NIGHT_END, load_scorer, make_catalogue, write_inputs
from benchmarks.report import ROOT, report
from benchmarks.turns import measure
from chronotope.config import Settings, load_settings
from chronotope.embed import embed
from chronotope.embed.encoder import load_encoder
from chronotope.embed.weights import model_folder
from chronotope.infer.states import user_states
from chronotope.infer.workers import load_scorer as load_stored
from chronotope.recommend.recommendations import recommendations
from chronotope.store.session import read_properties
from chronotope.train.scorer import SpaceTimeScorer
from chronotope.world.items import make_items
from chronotope.world.options import WorldOptions

NO_GPU = 3
CORES = 4  # of the executor, as in gpu.conf
MODEL = "space_time"
DISCOVERY = '#!/bin/sh\necho \'{"name": "gpu", "addresses": ["0"]}\'\n'


def main() -> int:
    """Measure, print and keep; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--items", type=int, default=5_000)
    parser.add_argument("--batch-size", type=int, default=512, help="texts per forward pass on the GPU")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16", help="of embed on the GPU")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    if not torch.cuda.is_available():
        print("gpu: torch sees no GPU on this machine; nothing was measured", file=sys.stderr)
        return NO_GPU
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        spark = cluster(folder)
        figures = {
            "gpu": torch.cuda.get_device_name(0),
            "embed": of_texts(spark, folder, options),
            **of_users(spark, folder, options),
            "options": vars(options),
        }
        spark.stop()
    report("gpu", figures)
    return 0


def cluster(folder: Path) -> SparkSession:
    """A session with one executor that has the GPU; what gpu.conf says of memory and bundled code has no place here."""
    script = folder / "gpus.sh"
    script.write_text(DISCOVERY, encoding="utf-8")
    script.chmod(0o755)
    left_out = (".memory", "memoryOverhead", ".instances", ".python", ".discoveryScript")
    conf = {k: v for k, v in read_properties(ROOT / "conf" / "spark" / "gpu.conf").items() if not k.endswith(left_out)}
    conf |= {
        "spark.executor.cores": str(CORES),
        "spark.executor.memory": "3g",
        "spark.executorEnv.PYTHONPATH": os.pathsep.join(sys.path),
        "spark.worker.resource.gpu.amount": "1",
        "spark.worker.resource.gpu.discoveryScript": str(script),
        "spark.executor.resource.gpu.discoveryScript": str(script),
        "spark.local.dir": str(folder),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": str(CORES),
    }
    os.environ |= {"PYSPARK_PYTHON": sys.executable, "SPARK_HOME": str(Path(pyspark.__file__).parent)}
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master(f"local-cluster[1,{CORES},4096]").appName("gpu benchmark")
    session: SparkSession = builder.config(map=conf).config("spark.driver.memory", "3g").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def of_texts(spark: SparkSession, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Stage embed: rates of the ways, and how near its vectors are to those of the CPU."""
    world = make_items(spark, world_of(options.texts))
    texts = world.select(F.concat_ws(" ", "title", "description").alias("text")).where("text != ''").distinct()
    texts.withColumn("text_digest", F.md5("text")).write.parquet(str(folder / "texts"))
    frame = spark.read.parquet(str(folder / "texts"))
    few = frame.orderBy("text_digest").limit(max(1, options.texts // 20)).localCheckpoint()
    on_gpu = [f"embed.precision={options.precision}", f"embed.batch_size={options.batch_size}"]
    gpu, cpu = settings_of("embed.device=auto", *on_gpu), settings_of("embed.device=cpu")
    column = [row.text for row in frame.select("text").collect()]
    sizes = (64, options.batch_size)  # the setting's default, which suits processors, and what is asked for
    encoders = {size: load_encoder(settings_of(*on_gpu, f"embed.batch_size={size}").embed, "cuda:0") for size in sizes}
    peer = SentenceTransformer(str(model_folder(gpu.embed)), device="cuda")
    peer = peer.bfloat16() if options.precision == "bf16" else peer
    n, n_few = len(column), few.count()
    one_process: dict[str, tuple[int, Callable[[], object]]] = {}
    for size, encoder in encoders.items():
        ours, theirs = (f"{who} on the GPU, batches of {size}" for who in ("Encoder.encode", "sentence_transformers"))
        one_process[ours] = n, functools.partial(encoder.encode, column)
        one_process[theirs] = n, functools.partial(peer.encode, column, batch_size=size, show_progress_bar=False)
    rates = per_second(
        {
            "stage on the GPU": (n, lambda: run(embed(frame, gpu, NIGHT))),
            "stage on the CPU, fp32, a twentieth of the texts": (n_few, lambda: run(embed(few, cpu, NIGHT))),
            "tokenizer alone": (n, functools.partial(encoders[64].tokenize, column)),
            **one_process,
        },
        options.runs,
    )
    near = agreement(embed(few, gpu, NIGHT), embed(few, cpu, NIGHT), "text_digest", "embedding")
    gib = torch.cuda.max_memory_reserved() / 2**30
    return {"texts": n, "per_second": rates, "peak_gib_of_this_process": round(gib, 1), "from the CPU's in fp32": near}


def world_of(n_items: int) -> WorldOptions:
    """A demo world with so many items; nobody asks for its users and events."""
    return WorldOptions(
        users=1, items=n_items, days=1, events_per_user_day=1.0, start=NIGHT, seed=1, late_share=0.0,
        too_late_share=0.0, duplicate_share=0.0, broken_share=0.0,
    )  # fmt: skip


def of_users(spark: SparkSession, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Stages infer and recommend: rates of the ways, and how near the states are to those of the CPU."""
    settings = settings_of("recommend.seen=hide", "recommend.k=10")
    catalogue = make_catalogue(settings, options.items, np.random.default_rng(settings.night.seed))
    pd.to_pickle(catalogue, folder / "catalogue.pickle")
    model = folder / "model"
    model.mkdir()
    start = load_scorer(MODEL, str(folder / "catalogue.pickle"), settings)
    assert isinstance(start, SpaceTimeScorer)
    start.save(model, {"settings": settings.train.model_dump(mode="json")})
    write_inputs(spark, folder, catalogue, options.users, 6, settings.night.seed)
    read = {name: spark.read.parquet(str(folder / f"{name}.parquet")) for name in ("histories", "forecasts", "hidden")}
    histories = read["histories"].repartition(CORES).localCheckpoint()
    loaders = {device: functools.partial(load_stored, model, device, 1) for device in ("auto", "cpu")}
    states = {device: user_states(histories, load, settings, NIGHT) for device, load in loaders.items()}
    written = {device: folder / f"states_{device}" for device in states}
    for device, frame in states.items():
        frame.write.parquet(str(written[device]))

    def lists(device: str) -> DataFrame:
        of = spark.read.parquet(str(written[device]))
        hidden, forecasts = read["hidden"], read["forecasts"]
        return recommendations(
            histories, forecasts, of, hidden, loaders[device], MODEL, settings, NIGHT_END, NIGHT, for_anybody=False
        )

    scorer = load_stored(model, "cuda", 1)
    path = folder / "histories.parquet"
    n, n_lists = options.users, options.users * 6
    infer = {
        "stage on the GPU": (n, lambda: run(states["auto"])),
        "stage on the CPU": (n, lambda: run(states["cpu"])),
        "plain torch loop on the GPU, one process": (n, lambda: plain(path, scorer, settings)),
    }
    recommend = {
        "stage on the GPU": (n_lists, lambda: run(lists("auto"))),
        "stage on the CPU": (n_lists, lambda: run(lists("cpu"))),
    }
    near = agreement(*(spark.read.parquet(str(path)) for path in written.values()), "user_id", "state")
    return {
        "infer": {"users": n, "per_second": per_second(infer, options.runs), "from the CPU's": near},
        "recommend": {
            "lists": n_lists,
            "per_second": per_second(recommend, options.runs),
            "share of rows that the CPU's lists have too": shared(lists("auto"), lists("cpu")),
        },
    }


def settings_of(*overrides: str) -> Settings:
    """The settings of the checkout, with some changed."""
    return load_settings(ROOT / "conf" / "chronotope.yaml", overrides=list(overrides))


def per_second(ways: dict[str, tuple[int, Callable[[], object]]], runs: int) -> dict[str, int]:
    """Rows per second of each way, by the median of its runs."""
    seconds = measure({name: work for name, (_, work) in ways.items()}, runs)
    return {name: round(ways[name][0] / statistics.median(taken)) for name, taken in seconds.items()}


def agreement(one: DataFrame, other: DataFrame, key: str, vector: str) -> dict[str, float]:
    """The least cosine of the vectors of equal keys, and the largest difference of a number."""
    other = other.select(key, F.col(vector).alias("other"))
    both = one.select(key, F.col(vector).alias("one")).join(other, key).toPandas()
    left, right = (np.stack(both[name].to_numpy()).astype(np.float64) for name in ("one", "other"))
    cosine = (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    return {
        "rows": len(both),
        "least_cosine": float(cosine.min()),
        "largest_difference": float(abs(left - right).max()),
    }


def shared(one: DataFrame, other: DataFrame) -> float:
    """The share of rows of the first lists whose user, context and item are in the others too."""
    key = ["user_id", "daypart", "region", "item_id"]
    return round(one.select(key).intersect(other.select(key)).count() / max(1, one.count()), 6)


if __name__ == "__main__":
    sys.exit(main())
