"""Claim: stage embed keeps at least 95 % of the texts per second of a plain transformers loop with the same batches and
precision, and at least twice those of `sentence_transformers.encode` in a plain pandas UDF where half the texts repeat.

    python -m benchmarks.embed --data FOLDER

FOLDER holds `online_retail` and `ml_latest_small` (product descriptions; film titles and genres). The ways take turns,
so that what else the machine does meets all of them, and the best round of each counts. Models are loaded and JVM code
is warm before the clock starts. Writes benchmarks/results/embed.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import random
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sentence_transformers import SentenceTransformer
from transformers import AutoModel, AutoTokenizer

from benchmarks.report import ROOT, report
from benchmarks.turns import measure
from chronotope.config import Settings, load_settings
from chronotope.embed import embed, missing_texts, model_name
from chronotope.embed.encoder import load_encoder
from chronotope.embed.weights import model_folder

NIGHT = dt.date(2024, 1, 1)


def real_texts(data: Path, n: int, seed: int) -> list[str]:
    """`n` distinct texts, products and films mixed."""
    products = pd.read_parquet(data / "online_retail" / "online_retail.parquet")["Description"].dropna()
    films = pd.read_parquet(data / "ml_latest_small" / "movies.parquet")
    texts = pd.concat([products, films["title"] + " " + films["genres"].str.replace("|", " ")]).str.strip()
    return list(texts[texts != ""].drop_duplicates().sample(n, random_state=seed))


def plain_loop(texts: list[str], settings: Settings) -> np.ndarray:
    """What one would write without Chronotope: tokenise, sort by length, pad, forward, mean, norm."""
    tokenizer, model = plain_model(str(model_folder(settings.embed)))
    ids = tokenizer(texts, truncation=True, max_length=settings.embed.max_tokens)["input_ids"]
    order = sorted(range(len(texts)), key=lambda i: -len(ids[i]))
    vectors = np.empty((len(texts), model.config.hidden_size), dtype=np.float32)
    with torch.inference_mode():
        for start in range(0, len(order), settings.embed.batch_size):
            rows = order[start : start + settings.embed.batch_size]
            batch = tokenizer.pad({"input_ids": [ids[i] for i in rows]}, return_tensors="pt")
            hidden = model(**batch).last_hidden_state
            mask = batch["attention_mask"].unsqueeze(-1)
            pooled = (hidden * mask).sum(1) / mask.sum(1)
            vectors[rows] = torch.nn.functional.normalize(pooled, dim=1).numpy()
    return vectors


@cache
def plain_model(folder: str):
    """Tokenizer and model of the plain loop."""
    return AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()


@cache
def sentence_model(folder: str) -> SentenceTransformer:
    """The model of `sentence_udf`, once per process."""
    return SentenceTransformer(folder, device="cpu")


def sentence_udf(frame: DataFrame, settings: Settings) -> DataFrame:
    """`sentence_transformers.encode` in a plain pandas UDF; its model too is kept from batch to batch."""
    folder, batch_size = str(model_folder(settings.embed)), settings.embed.batch_size

    @F.pandas_udf("array<float>")
    def encode(texts: pd.Series) -> pd.Series:
        from benchmarks.embed import sentence_model  # the worker's own copy of this module keeps the model

        model = sentence_model(folder)
        return pd.Series(list(model.encode(texts.tolist(), batch_size=batch_size, show_progress_bar=False)))

    return frame.select(encode("text"))


def stage(frame: DataFrame, settings: Settings) -> DataFrame:
    """Stage embed as the job runs it."""
    return embed(missing_texts(frame, None, model_name(settings.embed)), settings, NIGHT)


def run(frame: DataFrame) -> None:
    """Compute every row and keep none."""
    frame.write.format("noop").mode("overwrite").save()


def best_rates(ways: dict[str, tuple[int, Callable[[], object]]], rounds: int) -> dict[str, float]:
    """Texts per second of each way's best round; the first round warms up and does not count."""
    seconds = measure({name: work for name, (_, work) in ways.items()}, rounds)
    return {name: ways[name][0] / min(taken) for name, taken in seconds.items()}


def spark_session(cores: int) -> SparkSession:
    """Local Spark whose Python workers see what this process sees."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    session = (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.shuffle.partitions", str(cores))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    return session


def as_column(spark: SparkSession, texts: list[str], cores: int) -> DataFrame:
    """Items in memory with a text and its digest, one partition per core."""
    frame = spark.createDataFrame(pd.DataFrame({"text": texts})).repartition(cores)
    frame = frame.withColumn("text_digest", F.md5("text")).cache()
    frame.count()
    return frame


def rates_of(args: argparse.Namespace) -> dict[str, float]:
    """Texts per second by way."""
    settings = load_settings(ROOT / "conf" / "chronotope.yaml", overrides=[f"embed.precision={args.precision}"])
    texts = real_texts(args.data, args.texts, settings.night.seed)
    repeated = random.Random(settings.night.seed).sample(texts + texts, 2 * len(texts))
    spark = spark_session(args.cores)
    distinct_column, repeated_column = (as_column(spark, column, args.cores) for column in (texts, repeated))
    torch.set_num_threads(args.cores)
    encoder = load_encoder(settings.embed, "cpu")
    if args.precision == "bf16":
        plain_model(str(model_folder(settings.embed)))[1].to(torch.bfloat16)
    rates = best_rates(
        {
            "plain loop, one process": (len(texts), lambda: plain_loop(texts, settings)),
            "Encoder.encode, one process": (len(texts), lambda: encoder.encode(texts)),
            "stage embed, distinct texts": (len(texts), lambda: run(stage(distinct_column, settings))),
            "stage embed, half the texts repeat": (len(repeated), lambda: run(stage(repeated_column, settings))),
            "sentence_transformers in a pandas UDF, half the texts repeat": (
                len(repeated), lambda: run(sentence_udf(repeated_column, settings)),
            ),
        },
        args.rounds,
    )  # fmt: skip
    spark.stop()
    return rates


def main() -> None:
    """Measure, write the results file, print it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the real logs")
    parser.add_argument("--texts", type=int, default=8000, help="distinct texts (default: 8000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (default: 3)")
    parser.add_argument("--cores", type=int, default=2, help="cores for every way (default: 2)")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="default: fp32")
    args = parser.parse_args()
    rates = rates_of(args)
    plain, naive = (
        rates["plain loop, one process"],
        rates["sentence_transformers in a pandas UDF, half the texts repeat"],
    )
    figures = {
        "texts_per_s": {name: round(rate, 1) for name, rate in rates.items()},
        "ratios": {
            "Encoder.encode / plain loop (at least 0.95)": round(rates["Encoder.encode, one process"] / plain, 3),
            "stage embed / plain loop (at least 0.95)": round(rates["stage embed, distinct texts"] / plain, 3),
            "stage embed / sentence_transformers, half repeat (at least 2)":
                round(rates["stage embed, half the texts repeat"] / naive, 3),
        },
    }  # fmt: skip
    report("embed" if args.precision == "fp32" else f"embed_{args.precision}", figures)


if __name__ == "__main__":
    main()
