"""Which texts are embedded, in how many tasks, with how many loads, and what the table then holds."""

from __future__ import annotations

import os

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from chronotope.embed import embed, missing_texts, model_name
from chronotope.embed.encoder import load_encoder
from chronotope.embed.frames import as_lists, chunks, encode_batches, task_count, threads_per_task
from chronotope.errors import ModelError
from chronotope.tables import TABLES
from tests.rows import NIGHT, frame


def item(name: str, text: str | None, digest: str | None = None):
    return {"item_id": f"s:{name}", "text": text, "text_digest": digest or (text and f"d-{text}")}


def missing(spark, items, embedded=None, model="m"):
    known = None if embedded is None else frame(spark, "item_embeddings", embedded)
    return {r["text_digest"]: r["text"] for r in missing_texts(frame(spark, "items", items), known, model).collect()}


def embedded(spark, settings, texts: dict[str, str]):
    return embed(spark.createDataFrame(list(texts.items()), "text_digest string, text string"), settings, NIGHT)


def test_distinct_texts_only(spark):
    assert missing(spark, [item("a", "tea"), item("b", "tea"), item("c", "milk")]) == {"d-tea": "tea", "d-milk": "milk"}


def test_items_without_text_have_nothing_to_embed(spark):
    assert missing(spark, [item("a", None), item("b", "  ", "d1"), item("c", "", "d2")]) == {}


def test_texts_of_this_model_are_not_embedded_again(spark):
    rows = [
        {"text_digest": "d-tea", "model": "m", "embedding": [1.0]},
        {"text_digest": "d-milk", "model": "other", "embedding": [1.0]},
    ]
    assert missing(spark, [item("a", "tea"), item("b", "milk")], rows) == {"d-milk": "milk"}
    assert missing(spark, [item("a", "tea")], rows) == {}


def test_a_second_night_embeds_only_what_changed(spark, tiny):
    model = model_name(tiny.embed)
    items = frame(spark, "items", [item("a", "tea"), item("b", "milk")])
    first = embed(missing_texts(items, None, model), tiny, NIGHT).localCheckpoint()
    changed = frame(spark, "items", [item("a", "tea"), item("b", "oat milk")])
    second = embed(missing_texts(changed, first, model), tiny, NIGHT)
    assert {r["text_digest"] for r in first.collect()} == {"d-tea", "d-milk"}
    assert [r["text_digest"] for r in second.collect()] == ["d-oat milk"]


def test_rows_are_as_declared_and_hold_the_encoders_vectors(spark, tiny, tiny_encoder):
    texts = {"d1": "tea", "d2": "北京烤鸭", "d3": "🍜 " * 50, "d4": "مقهى"}
    found = embedded(spark, tiny, texts)
    assert TABLES["item_embeddings"].faults(found) == []
    rows = {row["text_digest"]: row for row in found.collect()}
    vectors = np.array([rows[name]["embedding"] for name in texts], dtype=np.float32)
    assert np.abs(vectors - tiny_encoder.encode(list(texts.values()))).max() < 1e-5
    assert {(row["model"], row["night"]) for row in rows.values()} == {(model_name(tiny.embed), NIGHT)}


def test_no_texts_give_no_rows(spark, tiny):
    assert embedded(spark, tiny, {}).collect() == []


def test_partitions_do_not_matter(spark, tiny):
    texts = [(f"d{n}", "word " * (n % 7) + str(n)) for n in range(60)]
    several = spark.createDataFrame(texts, "text_digest string, text string").repartition(7)
    one = {r["text_digest"]: r["embedding"] for r in embedded(spark, tiny, dict(texts)).collect()}
    for row in embed(several, tiny, NIGHT).collect():
        assert row["embedding"] == pytest.approx(one[row["text_digest"]], abs=1e-5)
    assert len(one) == 60


def test_tasks_are_not_merged_where_texts_are_partitioned_by_digest_already(spark, tiny):
    """As many shuffle partitions as tasks: Spark would take a step by digest for done, and merge the small tasks."""
    many = spark.range(1200).selectExpr("string(id) AS text_digest", "string(id) AS text")
    distinct = many.groupBy("text_digest").agg(F.min("text").alias("text"))
    rows = embed(distinct, tiny, NIGHT).withColumn("task", F.spark_partition_id()).groupBy("task").count().collect()
    assert sum(row["count"] for row in rows) == 1200
    assert len(rows) == task_count(1200, 2) == int(spark.conf.get("spark.sql.shuffle.partitions")) == 2


def test_a_megabyte_of_text_crosses_to_python_cut(spark, tiny):
    huge = spark.range(50).selectExpr("string(id) AS text_digest", "repeat('word ', 200000) AS text")
    rows = embed(huge, tiny, NIGHT).collect()
    assert len({tuple(row["embedding"]) for row in rows}) == 1
    assert len(rows) == 50


def test_a_missing_model_fails_before_the_tasks(spark, defaults):
    nowhere = defaults.embed.model_copy(update={"model": "package:no_such_package"})
    with pytest.raises(ModelError):
        embedded(spark, defaults.model_copy(update={"embed": nowhere}), {"d1": "tea"})


def loads_by_worker(spark) -> dict[int, tuple[int, int]]:
    """Loads so far, and times that a loaded encoder was found, in each Python worker that answers."""

    def report(batches):
        for _ in batches:
            found = load_encoder.cache_info()
            yield pa.RecordBatch.from_pylist([{"worker": os.getpid(), "loads": found.misses, "found": found.hits}])

    rows = spark.range(0, 8, 1, 8).mapInArrow(report, "worker long, loads long, found long").collect()
    return {row["worker"]: (row["loads"], row["found"]) for row in rows}


def test_a_worker_loads_the_model_once_for_all_its_tasks(spark, tiny):
    section = tiny.embed.model_copy(update={"batch_size": 5})  # settings that no other test loads
    before = loads_by_worker(spark)
    tasks = 0
    for _ in range(3):
        many = spark.range(1500).selectExpr("string(id) AS text_digest", "string(id) AS text")
        vectors = embed(many, tiny.model_copy(update={"embed": section}), NIGHT)
        tasks += vectors.rdd.getNumPartitions()
        assert vectors.where("size(embedding) = 16").count() == 1500
    since = {
        worker: (loads - before.get(worker, (0, 0))[0], found - before.get(worker, (0, 0))[1])
        for worker, (loads, found) in loads_by_worker(spark).items()
    }
    assert max(loads for loads, _ in since.values()) == 1
    assert sum(loads + found for loads, found in since.values()) == tasks == 6


class CountingEncoder:
    """Counts its loads; a text's vector is its length."""

    loads = 0

    def load(self):
        self.loads += 1
        return self

    def encode(self, texts):
        return np.array([[len(text)] for text in texts], dtype=np.float32)


def batch(*texts: str) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"text_digest": list(texts), "text": list(texts)}, schema=SCHEMA)


SCHEMA = pa.schema([("text_digest", pa.string()), ("text", pa.string())])


def test_the_udfs_body_without_spark():
    [out] = encode_batches([batch("a", "bbb"), batch(), batch("cc")], CountingEncoder().load)
    assert out.to_pydict() == {"text_digest": ["a", "bbb", "cc"], "embedding": [[1.0], [3.0], [2.0]]}


@pytest.mark.parametrize("batches", [[], [batch()], [batch(), batch()]])
def test_nothing_is_loaded_for_no_texts(batches):
    counting = CountingEncoder()
    assert list(encode_batches(batches, counting.load)) == []
    assert counting.loads == 0


def test_chunks_join_whole_batches():
    sizes = [
        len(chunk) for chunk in chunks([batch("a"), batch("b", "c"), batch("d", "e", "f"), batch("g")], at_least=3)
    ]
    assert sizes == [3, 3, 1]


def test_lists_of_a_matrix():
    assert as_lists(np.array([[1, 2], [3, 4]], dtype=np.float32)).to_pylist() == [[1.0, 2.0], [3.0, 4.0]]
    assert as_lists(np.empty((0, 2), dtype=np.float32)).to_pylist() == []


@pytest.mark.parametrize(
    ("n_texts", "slots", "tasks"),
    [(0, 8, 1), (1, 8, 1), (512, 8, 1), (513, 8, 2), (4096, 8, 8), (500_000, 8, 8), (600_000, 8, 10), (10**6, 1, 16)],
)
def test_tasks(n_texts, slots, tasks):
    assert task_count(n_texts, slots) == tasks


@pytest.mark.parametrize(
    ("cores", "at_once", "at_most", "threads"), [(2, 2, 2, 1), (2, 1, 2, 2), (2, 1, 1, 1), (16, 2, 4, 4), (1, 4, 2, 1)]
)
def test_threads(cores, at_once, at_most, threads):
    assert threads_per_task(cores, at_once, at_most) == threads
