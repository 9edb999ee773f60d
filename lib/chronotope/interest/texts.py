"""The texts of a night, turned into terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.interest.entries import first_of_each, indices, lengths_of, with_column
from chronotope.interest.words import tokenise

Batches = Iterable[pa.RecordBatch]
NOTHING = pa.array([], pa.struct([("term", pa.string()), ("n", pa.int64())]))


def tokens(items: DataFrame, events: DataFrame, settings: Settings) -> DataFrame:
    """The terms of every document, which is an item's text or a distinct query; those without a term have no row.

    Columns: `document` (the item's id, or the md5 of the query: no id, for those have a colon), `is_item`, `terms` (in
    order with repeats, joined by spaces: as one string they cross between Python and the JVM as a block of bytes),
    `counted` (array of (term, n): how many items have each term, so that a count need not read all terms again; one
    row speaks for all of its task, and the others have none).

    Each distinct text is cut into terms once, however many documents it is the text of. Whether there is such a text
    is asked first, which reads the digests once: where there is none, as in most logs, no text has to be moved.

    Both the sums and the document frequencies read it: persist it where a night needs both.

    Args:
        items: the items whose texts are wanted: all of them on nights that recount document frequencies, else those
            with events tonight (`described_by`).
        events: the events that this night took in, for their queries.
        settings: reads `interest.min_token_chars`.

    """
    cut = tokeniser(settings.interest.min_token_chars)
    gives = "n_items bigint, terms string, counted array<struct<term:string,n:bigint>>"
    found = documents(items, events)
    if not has_repeats(found):
        alone = found.select("document", F.col("is_item").cast("bigint").alias("n_items"), "text")
        terms = alone.mapInArrow(cut, f"document string, {gives}")
        return terms.select("document", (F.col("n_items") > 0).alias("is_item"), "terms", "counted")
    terms = distinct_texts(found).mapInArrow(cut, f"text_digest string, speaker string, {gives}")
    speaks = F.col("document") == F.col("speaker")
    counted = F.when(speaks, F.col("counted")).otherwise(F.array()).alias("counted")
    owners = found.select("document", "is_item", "text_digest")
    return owners.join(terms, "text_digest").select("document", "is_item", "terms", counted)


def documents(items: DataFrame, events: DataFrame) -> DataFrame:
    """Every document with a text: document, is_item, text_digest, text."""
    queries = events.select("query").distinct().select(F.md5("query"), F.lit(False), F.md5("query"), "query")
    described = items.select(F.col("item_id").alias("document"), F.lit(True).alias("is_item"), "text_digest", "text")
    # Invalid UTF-8 is replaced, for Python refuses to read it.
    return described.union(queries).where(F.col("text").isNotNull()).withColumn("text", F.make_valid_utf8("text"))


def has_repeats(found: DataFrame) -> bool:
    """Whether two documents have the same text; also, rarely, where they only have the same hash of its digest."""
    hashed = found.groupBy(F.xxhash64("text_digest").alias("hash")).agg(F.count("*").alias("n"))
    return not hashed.where("n > 1").isEmpty()


def distinct_texts(found: DataFrame) -> DataFrame:
    """One row per distinct text: text_digest, `speaker` (one of its documents), n_items that have it, text."""
    return found.groupBy("text_digest").agg(
        F.min("document").alias("speaker"), F.count_if("is_item").alias("n_items"), F.first("text").alias("text")
    )


def tokeniser(min_token_chars: int) -> Callable[[Batches], Batches]:
    """The Arrow function from rows that end in (n_items, text) to the same with (n_items, terms, counted)."""

    def replace(batches: Batches) -> Batches:
        held: list[pa.RecordBatch] = []
        counts: list[pa.StructArray] = []
        for batch in batches:
            terms = tokenise(batch.column("text"), min_token_chars)
            joined = pc.binary_join(pa.ListArray.from_arrays(terms.offsets, terms.values.dictionary_decode()), " ")
            rows = with_column(batch.select(batch.schema.names[:-1]), "terms", joined).filter(pc.not_equal(joined, ""))
            if rows.num_rows:
                yield from (with_counted(before, NOTHING) for before in held)
                held = [rows]
                counts.append(items_with(terms, batch.column("n_items")))
        yield from (with_counted(last, added(counts)) for last in held)

    return replace


def items_with(terms: pa.ListArray, n_items: pa.Int64Array) -> pa.StructArray:
    """(term, n): how many items have each term, of texts that `n_items` have; terms come dictionary-encoded."""
    n_terms = len(terms.values.dictionary)
    pairs = np.repeat(np.arange(len(terms)) * n_terms, lengths_of(terms)) + indices(terms.values)
    # Sorted and cut: np.unique hashes, which took 50 times as long on 600,000 pairs.
    pairs = np.sort(pairs)
    text, term = np.divmod(pairs[first_of_each(pairs)], max(n_terms, 1))
    n = np.bincount(term, n_items.to_numpy()[text], n_terms).astype(np.int64)
    return pa.StructArray.from_arrays([terms.values.dictionary, pa.array(n)], ["term", "n"]).filter(pa.array(n > 0))


def added(counts: list[pa.StructArray]) -> pa.StructArray:
    """The sum of several counts."""
    table = pa.Table.from_batches([pa.RecordBatch.from_struct_array(count) for count in (NOTHING, *counts)])
    total = table.group_by("term").aggregate([("n", "sum")])
    columns = [total.column(name).combine_chunks() for name in ("term", "n_sum")]
    return pa.StructArray.from_arrays(columns, ["term", "n"])


def with_counted(rows: pa.RecordBatch, counted: pa.StructArray) -> pa.RecordBatch:
    """The rows with a column `counted`, for which the first one speaks."""
    bounds = pa.array([0, *[len(counted)] * rows.num_rows], pa.int32())
    return with_column(rows, "counted", pa.ListArray.from_arrays(bounds, counted))


def described_by(items: DataFrame, events: DataFrame) -> DataFrame:
    """The items that have events: what a night without a recount needs to tokenise."""
    return items.join(events.select("item_id").distinct(), "item_id", "left_semi")
