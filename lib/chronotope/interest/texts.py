"""The texts of a night, turned into terms."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.interest.entries import first_of_each, indices, lengths_of
from chronotope.interest.words import tokenise

Batches = Iterable[pa.RecordBatch]
NOTHING = pa.array([], pa.struct([("term", pa.string()), ("n", pa.int64())]))


def tokens(items: DataFrame, events: DataFrame, settings: Settings) -> DataFrame:
    """The terms of every document, which is an item's text or a distinct query; those without a term have no row.

    Columns: `document` (the item's id, or the md5 of the query: no id, for those have a colon), `is_item`, `terms` (in
    order with repeats, joined by spaces: as one string they cross between Python and the JVM as a block of bytes),
    `counted` (array of (term, n): how many items have each term, so that a count need not read all terms again; one
    row speaks for all of its task, and the others have none).

    Both the sums and the document frequencies read it: persist it where a night needs both.

    Args:
        items: the items whose texts are wanted: all of them on nights that recount document frequencies, else those
            with events tonight (`described_by`).
        events: the events that this night took in, for their queries.
        settings: reads `interest.min_token_chars`.

    """
    queries = events.select("query").distinct().select(F.md5("query"), F.lit(False), "query")
    found = items.select(F.col("item_id").alias("document"), F.lit(True).alias("is_item"), "text").union(queries)
    # Invalid UTF-8 is replaced, for Python refuses to read it.
    texts = found.where(F.col("text").isNotNull()).withColumn("text", F.make_valid_utf8("text"))
    schema = "document string, is_item boolean, terms string, counted array<struct<term:string,n:bigint>>"
    return texts.mapInArrow(tokeniser(settings.interest.min_token_chars), schema)


def tokeniser(min_token_chars: int) -> Callable[[Batches], Batches]:
    """The Arrow function from rows (document, is_item, text) to those of `tokens`."""

    def replace(batches: Batches) -> Batches:
        held: list[pa.RecordBatch] = []
        counts: list[pa.StructArray] = []
        for batch in batches:
            terms = tokenise(batch.column("text"), min_token_chars)
            joined = pc.binary_join(pa.ListArray.from_arrays(terms.offsets, terms.values.dictionary_decode()), " ")
            rows = batch.drop_columns("text").append_column("terms", joined).filter(pc.not_equal(joined, ""))
            if rows.num_rows:
                yield from (with_counted(before, NOTHING) for before in held)
                held = [rows]
                counts.append(documents_with(terms, batch.column("is_item")))
        yield from (with_counted(last, added(counts)) for last in held)

    return replace


def documents_with(terms: pa.ListArray, is_counted: pa.BooleanArray) -> pa.StructArray:
    """(term, n): how many of the counted documents have each of their terms, which come dictionary-encoded."""
    n_terms = len(terms.values.dictionary)
    lengths = lengths_of(terms)
    pairs = np.repeat(np.arange(len(terms)) * n_terms, lengths) + indices(terms.values)
    # Sorted and cut: np.unique hashes, which took 50 times as long on 600,000 pairs.
    pairs = np.sort(pairs[np.repeat(is_counted.to_numpy(zero_copy_only=False), lengths)])
    n = np.bincount(pairs[first_of_each(pairs)] % max(n_terms, 1), minlength=n_terms)
    return pa.StructArray.from_arrays([terms.values.dictionary, pa.array(n)], ["term", "n"]).filter(pa.array(n > 0))


def added(counts: list[pa.StructArray]) -> pa.StructArray:
    """The sum of several counts."""
    table = pa.Table.from_struct_array(pa.chunked_array([NOTHING, *counts]))
    total = table.group_by("term").aggregate([("n", "sum")])
    columns = [total.column(name).combine_chunks() for name in ("term", "n_sum")]
    return pa.StructArray.from_arrays(columns, ["term", "n"])


def with_counted(rows: pa.RecordBatch, counted: pa.StructArray) -> pa.RecordBatch:
    """The rows with a column `counted`, for which the first one speaks."""
    bounds = pa.array([0, *[len(counted)] * rows.num_rows], pa.int32())
    return rows.append_column("counted", pa.ListArray.from_arrays(bounds, counted))


def described_by(items: DataFrame, events: DataFrame) -> DataFrame:
    """The items that have events: what a night without a recount needs to tokenise."""
    return items.join(events.select("item_id").distinct(), "item_id", "left_semi")
