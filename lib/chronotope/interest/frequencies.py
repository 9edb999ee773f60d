"""Document frequencies: how common each term is, recounted on a fixed calendar."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.tables.interests import TERMS


def document_frequencies(tokens: DataFrame, term_sums: DataFrame, settings: Settings, night: dt.date) -> DataFrame:
    """Document frequency and IDF of every term, under the night as version: table `terms`.

    By `interest.documents`, N and DF count `items` with at least one term, or `users` with at least one term in their
    sums. By `interest.idf`, see `idf_of`. No document gives no row.

    Args:
        tokens: what `tokens` gave for all current items; queries are not counted.
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
    parts = tokens.where(F.size("counted") > 0).select(F.inline("counted"))
    counted = parts.groupBy("term").agg(F.sum("n").alias("document_frequency"))
    return counted, tokens.agg(F.count_if("is_item").alias("n_documents"))


def count_users(term_sums: DataFrame) -> tuple[DataFrame, DataFrame]:
    """(term, document_frequency) over users, and their number in one row."""
    pairs = term_sums.select("user_id", F.explode(F.split("terms", " ")).alias("term")).distinct()
    counted = pairs.groupBy("term").agg(F.count("*").alias("document_frequency"))
    return counted, term_sums.agg(F.count_distinct("user_id").alias("n_documents"))
