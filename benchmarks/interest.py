"""Documents per second: stage interest, both horizons, against Spark's own CountVectorizer + IDF on the same texts.

    python -m benchmarks.interest

Both read the same Parquet files in one session on two cores, in alternating runs; the median counts. Ours goes all the
way from texts and events to the users' weighted vectors; the pipeline ends with weighted vectors per text, and its
tokenizer only lower-cases and splits at white space, knows no stop words, and sums over no events: the easier task. The
vectors of either are computed and not written.

The third contestant is ours as a night runs it, which keeps tables that the pipeline does not have: tokens, sums and
frequencies are written to files and read back.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import statistics
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.ml import Pipeline
from pyspark.ml.feature import IDF, CountVectorizer, Tokenizer
from pyspark.sql import DataFrame

from benchmarks.report import ROOT, report
from benchmarks.session import session
from benchmarks.turns import measure
from chronotope.config import Settings, load_settings
from chronotope.interest import document_frequencies, interests, term_sums, tokens

NIGHT = dt.date(2026, 1, 31)


def main() -> None:
    """Run, print, and keep the result beside this file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=200_000)
    parser.add_argument("--tokens", type=int, default=60, help="per text")
    parser.add_argument("--vocabulary", type=int, default=30_000)
    parser.add_argument("--users", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    settings = load_settings(ROOT / "conf" / "chronotope.yaml")
    with tempfile.TemporaryDirectory() as folder:
        make_world(Path(folder), options)
        spark = session("interest benchmark", Path(folder))
        items, events = (spark.read.parquet(f"{folder}/{name}") for name in ("items", "events"))
        seconds = measure(
            {
                "chronotope": lambda: ours(items, events, settings),
                "chronotope_with_tables": lambda: with_tables(items, events, settings, Path(folder)),
                "count_vectorizer_idf": lambda: spark_pipeline(items),
            },
            options.runs,
        )
    per_second = {name: round(options.texts / statistics.median(runs)) for name, runs in seconds.items()}
    figures = {
        "claim": "at least 2 times the documents per second of CountVectorizer + IDF on the same texts",
        "documents_per_second": per_second,
        "ratio": round(per_second["chronotope"] / per_second["count_vectorizer_idf"], 2),
        "ratio_with_tables": round(per_second["chronotope_with_tables"] / per_second["count_vectorizer_idf"], 2),
        "seconds": {name: [round(run, 2) for run in runs] for name, runs in seconds.items()},
        "options": vars(options),
    }
    report("interest", figures)


def make_world(folder: Path, options: argparse.Namespace) -> None:
    """Texts with Zipf-distributed made-up words, and one event on each text, spread over the users and 60 days."""
    rng = np.random.default_rng(20260101)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = np.array(["".join(rng.choice(letters, rng.integers(4, 10))) for _ in range(options.vocabulary)])
    share = 1 / np.arange(10, options.vocabulary + 10)
    drawn = rng.choice(options.vocabulary, (options.texts, options.tokens), p=share / share.sum())
    texts = pa.array([" ".join(row) for row in words[drawn]])
    ids = pa.array([f"s:i{i}" for i in range(options.texts)])
    digests = pa.array([hashlib.md5(text.as_py().encode()).hexdigest() for text in texts])
    night_end = np.datetime64("2026-02-01", "us")
    ages = rng.integers(1, 60 * 86_400, options.texts).astype("timedelta64[s]")
    events = {
        "user_id": [f"s:u{u}" for u in rng.integers(0, options.users, options.texts)],
        "item_id": ids,
        "action": rng.choice(["view", "click", "buy"], options.texts),
        "occurred_at": pa.array(night_end - ages, pa.timestamp("us", "UTC")),
        "query": pa.nulls(options.texts, pa.string()),
    }
    write(folder / "items", pa.table({"item_id": ids, "text_digest": digests, "text": texts}))
    write(folder / "events", pa.table(events))


def write(folder: Path, table: pa.Table) -> None:
    """The table as eight Parquet files, so that both cores have work."""
    folder.mkdir()
    rows = -(-len(table) // 8)
    for part in range(8):
        pq.write_table(table.slice(part * rows, rows), folder / f"{part}.parquet")


def ours(items: DataFrame, events: DataFrame, settings: Settings) -> None:
    """Texts and events to both horizons' vectors, IDF recounted; Spark keeps the tokens, which are read twice."""
    texts = tokens(items, events, settings).persist()
    sums = term_sums(events, texts, settings, NIGHT)
    terms = document_frequencies(texts, sums, settings, NIGHT)
    interests(sums, terms, settings, NIGHT, single=True).write.format("noop").mode("overwrite").save()
    texts.unpersist()


def with_tables(items: DataFrame, events: DataFrame, settings: Settings, folder: Path) -> None:
    """The same with all tables that jobs/interest.py writes on a first night, but the last."""
    texts = aside(tokens(items, events, settings), folder / "tokens")
    sums = aside(term_sums(events, texts, settings, NIGHT), folder / "term_sums")
    terms = aside(document_frequencies(texts, sums, settings, NIGHT), folder / "terms")
    interests(sums, terms, settings, NIGHT, single=True).write.format("noop").mode("overwrite").save()


def aside(frame: DataFrame, folder: Path) -> DataFrame:
    """The frame written and read back, as a night's scratch files and staged tables are."""
    frame.write.mode("overwrite").parquet(str(folder))
    return frame.sparkSession.read.schema(frame.schema).parquet(str(folder))


def spark_pipeline(items: DataFrame) -> None:
    """Spark's own: texts to TF-IDF vectors per text."""
    steps = [
        Tokenizer(inputCol="text", outputCol="words"),
        CountVectorizer(inputCol="words", outputCol="counts"),
        IDF(inputCol="counts", outputCol="weights"),
    ]
    model = Pipeline(stages=steps).fit(items)
    model.transform(items).select("item_id", "weights").write.format("noop").mode("overwrite").save()


if __name__ == "__main__":
    main()
