"""Document frequencies: how common each term is, recounted on a fixed calendar."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.interest.entries import first_of_each, indices, lengths_of
from chronotope.interest.texts import Batches
from chronotope.tables.interests import TERMS


def needs_refresh(version: str | None, night: dt.date, refresh_days: int) -> bool:
    """Whether a night recounts: the first one, and the first in each period of `refresh_days`.

    Periods are counted from 0001-01-01 (a Monday), so a rebuild recounts on the same nights; a period whose first
    night did not run is begun by its next one.

    >>> [needs_refresh("2012-10-28", dt.date(2012, 10, day), 7) for day in (28, 29)]  # a Sunday and a Monday
    [False, True]
    """
    if version is None:
        return True
    last = dt.date.fromisoformat(version)
    # Ordinal 1 is the first Monday.
    return (night.toordinal() - 1) // refresh_days > (last.toordinal() - 1) // refresh_days


def document_frequencies(tokens: DataFrame, term_sums: DataFrame, settings: Settings, night: dt.date) -> DataFrame:
    """Document frequency and IDF of every term, under the night as version: table `terms`.

    By `interest.documents`, N and DF count `items` with at least one term, or `users` with at least one term in their
    sums. By `interest.idf`, see `idf_of`. No document gives no row.

    Args:
        tokens: what `tokens` gave for all current items; texts of no item are ignored.
        term_sums: those of all nights up to this one.
        settings: reads `interest`.
        night: names the version.

    """
    if settings.interest.documents == "items":
        counted, n_documents = count_items(tokens)
    else:
        counted, n_documents = count_users(term_sums)
    idf = idf_of(F.col("n_documents"), F.col("document_frequency"), settings.interest.idf)
    rows = counted.crossJoin(F.broadcast(n_documents)).withColumn("idf", idf)
    return TERMS.conform(rows.withColumn("version", F.lit(night.isoformat())).withColumn("night", F.lit(night)))


def idf_of(n_documents: Column, document_frequency: Column, kind: str) -> Column:
    """Inverse document frequency.

    `smooth` is `log((1 + N) / (1 + DF)) + 1`, never zero; `plain` is `log(N / max(DF, 1))`, zero for a term that
    every document has. A term that came up after the count has DF = 0.
    """
    if kind == "smooth":
        return F.log((1 + n_documents) / (1 + document_frequency)) + 1
    return F.log(F.greatest(n_documents, F.lit(1)) / F.greatest(document_frequency, F.lit(1)))


def count_items(tokens: DataFrame) -> tuple[DataFrame, DataFrame]:
    """(term, document_frequency) over items, and their number in one row."""
    documents = tokens.where("n_items > 0")
    parts = documents.select("terms", "n_items").mapInArrow(count_in_batches, "term string, n bigint")
    counted = parts.groupBy("term").agg(F.sum("n").alias("document_frequency"))
    return counted, documents.agg(F.sum("n_items").alias("n_documents"))


def count_users(term_sums: DataFrame) -> tuple[DataFrame, DataFrame]:
    """(term, document_frequency) over users, and their number in one row."""
    pairs = term_sums.select("user_id", F.explode(F.split("terms", " ")).alias("term")).distinct()
    counted = pairs.groupBy("term").agg(F.count("*").alias("document_frequency"))
    return counted, term_sums.agg(F.count_distinct("user_id").alias("n_documents"))


def count_in_batches(batches: Batches) -> Batches:
    """The items that have each term, batch by batch: from rows (terms, n_items) to rows (term, n)."""
    for batch in batches:
        terms = pc.split_pattern(batch.column("terms"), " ")
        encoded = terms.flatten().dictionary_encode()
        n_terms = max(len(encoded.dictionary), 1)
        document = np.repeat(np.arange(len(terms)), lengths_of(terms))
        # Sorted and cut: np.unique hashes, which took 50 times as long on 600,000 pairs.
        pairs = np.sort(document * n_terms + indices(encoded))
        pairs = pairs[first_of_each(pairs)]
        n_items = batch.column("n_items").to_numpy()
        n = np.bincount(pairs % n_terms, n_items[pairs // n_terms], len(encoded.dictionary)).astype(np.int64)
        yield pa.RecordBatch.from_arrays([encoded.dictionary, pa.array(n)], names=["term", "n"])


def current_version(terms: DataFrame) -> str | None:
    """The latest version among rows of table `terms`; None where there are none. One value is collected."""
    latest: str | None = terms.agg(F.max("version")).first()[0]  # type: ignore[index]  # an aggregate has one row
    return latest
