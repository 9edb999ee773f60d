"""Texts in, vectors out, as Spark frames."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import torch
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.embed.device import task_device
from chronotope.embed.encoder import Encoder, load_encoder, max_chars
from chronotope.embed.weights import model_name
from chronotope.tables.embeddings import ITEM_EMBEDDINGS

CHUNK_TEXTS = 8192  # texts sorted by length together: more would pad hardly less, and are held in memory
MIN_TASK_TEXTS = 512  # a model takes about as long to load as these to encode on one core
MAX_TASK_TEXTS = 65_536  # minutes of work on one core: what a lost task costs


def missing_texts(items: DataFrame, item_embeddings: DataFrame | None, model: str) -> DataFrame:
    """The distinct texts of items that have no vector of this model yet: text_digest, text.

    Args:
        items: rows of table `items`; items without a text, or with a blank one, have none to embed.
        item_embeddings: table `item_embeddings` up to the night before; None on a first night.
        model: what `model_name` gives.

    """
    texts = (
        items.where(F.col("text_digest").isNotNull() & (F.trim("text") != ""))
        .groupBy("text_digest")
        # The digest stands for the text, so any of the equal texts will do; the least one does not depend on row order.
        .agg(F.min("text").alias("text"))
    )
    if item_embeddings is None:
        return texts
    embedded = item_embeddings.where(F.col("model") == model).select("text_digest")
    return texts.join(embedded, "text_digest", "left_anti")


def embed(texts: DataFrame, settings: Settings, night: dt.date) -> DataFrame:
    """The vectors of texts: rows of table `item_embeddings`, one per row of text_digest and text.

    Runs one small job at once, which counts the texts: the number of tasks follows from it (see `task_count`), and
    so do the torch threads of each (see `threads_per_task`). The model is loaded once per Python worker, when its
    first text comes.

    Raises:
        ModelError: when the model is missing or not what its name says.
        DeviceError: within the tasks, when the device that the settings ask for is missing.

    """
    spark = texts.sparkSession
    cores = spark.sparkContext.defaultParallelism
    slots = max(1, cores // int(spark.conf.get("spark.task.cpus", "1") or 1))
    tasks = task_count(texts.count(), slots)
    threads = threads_per_task(cores, min(tasks, slots), settings.night.threads)
    section = settings.embed

    def encode(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        prepare_worker(threads)
        return encode_batches(batches, lambda: load_encoder(section, task_device(section.device)))

    # What the tokenizer would never reach is cut before it crosses to Python: a batch holds thousands of texts.
    short = texts.select("text_digest", F.substring("text", 1, max_chars(section.max_tokens)).alias("text"))
    # Not by text_digest: where texts are partitioned like that already, Spark drops the step and may merge the tasks.
    vectors = short.repartition(tasks).mapInArrow(encode, "text_digest string, embedding array<float>")
    return ITEM_EMBEDDINGS.conform(
        vectors.withColumn("model", F.lit(model_name(section))).withColumn("night", F.lit(night))
    )


def encode_batches(batches: Iterable[pa.RecordBatch], load: Callable[[], Encoder]) -> Iterator[pa.RecordBatch]:
    """Replace the column `text` of each batch by `embedding`; nothing is loaded for no texts."""
    for chunk in chunks(batches):
        vectors = load().encode(chunk.column("text").to_pylist())
        yield pa.RecordBatch.from_arrays(
            [chunk.column("text_digest"), as_lists(vectors)], names=["text_digest", "embedding"]
        )


def chunks(batches: Iterable[pa.RecordBatch], at_least: int = CHUNK_TEXTS) -> Iterator[pa.RecordBatch]:
    """Successive batches joined until they have `at_least` rows; the last chunk has what is left, if anything."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(map(len, held)) >= at_least:
            yield joined(held)
            held = []
    if sum(map(len, held)):
        yield joined(held)


def joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    """Several batches of one schema as one."""
    return pa.Table.from_batches(batches).combine_chunks().to_batches()[0]


def as_lists(vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> pa.ListArray:
    """A matrix [n, E] as an Arrow column of n lists, without a copy of the numbers."""
    n, dim = vectors.shape
    return pa.ListArray.from_arrays(np.arange(n + 1, dtype=np.int32) * np.int32(dim), vectors.reshape(-1))


def task_count(n_texts: int, slots: int) -> int:
    """As many tasks as run at once, fewer for few texts (each loads a model), more for very many (each may be lost).

    >>> [task_count(n, slots=8) for n in (0, 10, 1025, 100_000, 1_000_000)]
    [1, 1, 3, 8, 16]
    """
    return max(1, min(slots, -(-n_texts // MIN_TASK_TEXTS)), -(-n_texts // MAX_TASK_TEXTS))


def threads_per_task(cores: int, at_once: int, at_most: int) -> int:
    """The torch threads of each of `at_once` tasks, so that together they do not outnumber the cores.

    >>> threads_per_task(2, 2, at_most=2), threads_per_task(2, 1, at_most=2), threads_per_task(64, 4, at_most=2)
    (1, 2, 2)
    """
    return max(1, min(at_most, cores // at_once))


def prepare_worker(threads: int) -> None:
    """Hold torch and the tokenizer of this Python worker to so many threads."""
    torch.set_num_threads(threads)
    os.environ["RAYON_NUM_THREADS"] = str(threads)
