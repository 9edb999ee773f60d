"""The texts of a night, each distinct one turned into terms once."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.interest.words import tokenise

Batches = Iterable[pa.RecordBatch]


def tokens(items: DataFrame, events: DataFrame, settings: Settings) -> DataFrame:
    """The terms of every distinct text among items and search queries; texts without a term have no row.

    Columns: `text_digest` (of the text, as in items), `n_items` (items that have the text; 0 for a query that is no
    item's text), `terms` (the terms in order with repeats, joined by spaces). Both the sums and the document
    frequencies read it: persist it where a night needs both.

    Args:
        items: the items whose texts are wanted: all of them on nights that recount document frequencies, else those
            with events tonight (`described_by`).
        events: the events that this night took in, for their queries.
        settings: reads `interest.min_token_chars`.

    """
    queries = events.select("query", F.lit(0))
    found = items.select("text", F.lit(1).alias("n")).union(queries).where(F.col("text").isNotNull())
    texts = found.groupBy("text").agg(F.sum("n").alias("n_items"))
    # Digested before invalid UTF-8 is replaced, for so does ingest; Python would refuse to read it.
    texts = texts.select(F.md5("text").alias("text_digest"), "n_items", F.make_valid_utf8("text").alias("text"))
    schema = "text_digest string, n_items bigint, terms string"
    return texts.mapInArrow(tokeniser(settings.interest.min_token_chars), schema).where(F.col("terms") != "")


def tokeniser(min_token_chars: int) -> Callable[[Batches], Batches]:
    """The Arrow function that replaces column `text` by `terms`."""

    def replace(batches: Batches) -> Batches:
        for batch in batches:
            terms = tokenise(batch.column("text"), min_token_chars)
            yield batch.drop_columns("text").append_column("terms", terms)

    return replace


def described_by(items: DataFrame, events: DataFrame) -> DataFrame:
    """The items that have events: what a night without a recount needs to tokenise."""
    return items.join(events.select("item_id").distinct(), "item_id", "left_semi")
