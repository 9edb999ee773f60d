"""Interest vectors: the nights' term sums brought to one moment, times IDF, normalised, strongest terms first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.ingest.night import day_end
from chronotope.interest.entries import HORIZONS, Entries, Floats, entries_of, lengths_of, sums_by_user
from chronotope.interest.frequencies import idf_of
from chronotope.interest.sums import decay, half_lives_days
from chronotope.interest.texts import Batches
from chronotope.slots import end_of
from chronotope.tables.interests import INTERESTS

MANTISSA_BITS = 30


def interests(
    term_sums: DataFrame, terms: DataFrame, settings: Settings, night: dt.date, touched: DataFrame | None = None
) -> DataFrame:
    """Every user's interest vector at a night's end, over the long and the short horizon: table `interests`.

    `I_u(w) = idf(w) * sum over nights n of weight_n(u, w) * 2^(-(T - end_n) / half_life)`, divided by the L2 norm over
    all terms, then the `interest.max_terms` heaviest. Weights are rounded to 30 bits (1e-9 of their size) before they
    are ranked; ties go by term, by code point. A term newer than the count has the IDF of DF = 0.

    All of a user's weights age at the same rate and the norm takes it out again, so T may be any moment: the user's own
    latest night is taken, which keeps weights from underflowing however long ago that was, and the vector of a
    user whom no night touches stays right. A vector without any weight (all IDF zero) has a row with no terms.

    Args:
        term_sums: those of all nights up to this one.
        terms: the current version of table `terms`. Vocabulary and IDF, not the users, pass through the driver.
        settings: reads `interest` and `night.time_zone`.
        night: gives `as_of`, and what the rows are written under.
        touched: a frame with the `user_id` of the users wanted; None for all, as after a recount.

    """
    wanted = (
        term_sums if touched is None else term_sums.join(touched.select("user_id").distinct(), "user_id", "left_semi")
    )
    ended_s = F.unix_seconds(day_end(F.col("night"), settings.night.time_zone))
    age_s = F.max(ended_s).over(Window.partitionBy("user_id")) - ended_s
    factors = [decay(age_s, days).alias(f"{name}_factor") for name, days in half_lives_days(settings.interest).items()]
    rows = wanted.select("user_id", "terms", *factors).sortWithinPartitions("user_id")
    idf = Idf.collect(terms, settings.interest.idf)
    schema = "user_id string, horizon string, terms array<struct<term:string,weight:double>>"
    vectors = rows.mapInArrow(weigher(idf, settings.interest.max_terms), schema)
    stamps = {
        "as_of": F.lit(end_of(night, settings.night.time_zone)),
        "idf_version": F.lit(idf.version),
        "night": F.lit(night),
    }
    return INTERESTS.conform(vectors.withColumns(stamps))


@dataclass(frozen=True)
class Idf:
    """The IDF of a vocabulary, and of what is not in it."""

    terms: pa.Array
    values: Floats
    unseen: float
    version: str

    @classmethod
    def collect(cls, terms: DataFrame, kind: str) -> Idf:
        """The rows of table `terms`; without any, every term is as new as the others."""
        counted = terms.agg(F.coalesce(F.max("n_documents"), F.lit(0)).alias("n"), F.max("version").alias("version"))
        unseen = counted.select(idf_of(F.col("n"), F.lit(0), kind), F.coalesce("version", F.lit("")))
        known = terms.select("term", "idf").toArrow()
        values = known.column("idf").to_numpy()
        return cls(known.column("term").combine_chunks(), values, *unseen.collect()[0])

    def of(self, terms: pa.Array) -> Floats:
        """The IDF of each term."""
        found = pc.index_in(terms, value_set=self.terms)
        at = np.asarray(found.fill_null(len(self.terms)).to_numpy(), np.int64)
        return np.append(self.values, self.unseen)[at]


def weigher(idf: Idf, max_terms: int) -> Callable[[Batches], Batches]:
    """The Arrow function from rows (user_id, terms, factors) sorted by user to rows (user_id, horizon, terms)."""

    def weigh(batches: Batches) -> Batches:
        for entries in sums_by_user(batches, rescaled):
            term_idf = idf.of(entries.terms)[entries.term]
            for horizon, weights in zip(HORIZONS, entries.weights, strict=True):
                yield strongest(entries, horizon, normalised(entries, weights * term_idf), max_terms)

    return weigh


def rescaled(batch: pa.RecordBatch) -> Entries:
    """The entries of several nights, each night's weights times the night's factors."""
    terms = batch.column("terms")
    lengths = lengths_of(terms)
    fields = terms.flatten()
    weights = [
        fields.field(horizon).to_numpy() * np.repeat(batch.column(f"{horizon}_factor").to_numpy(), lengths)
        for horizon in HORIZONS
    ]
    return entries_of(batch.column("user_id"), lengths, fields.field("term"), np.stack(weights))


def normalised(entries: Entries, weights: Floats) -> Floats:
    """Weights [E] over their user's L2 norm, rounded to 30 bits; zero where the norm is.

    They are divided by the user's largest weight first, for the squares of small ones would underflow.
    """
    starts = entries.starts()[:-1]
    largest = np.maximum.reduceat(weights, starts)[entries.user]
    shares = np.divide(weights, largest, out=np.zeros_like(weights), where=largest > 0)
    norm = np.sqrt(np.add.reduceat(shares**2, starts))[entries.user]
    mantissa, exponent = np.frexp(np.divide(shares, norm, out=np.zeros_like(shares), where=norm > 0))
    return np.asarray(np.ldexp(np.round(np.ldexp(mantissa, MANTISSA_BITS)), exponent - MANTISSA_BITS))


def strongest(entries: Entries, horizon: str, weights: Floats, max_terms: int) -> pa.RecordBatch:
    """One row per user with the terms of positive weight, heaviest first, ties by term, at most `max_terms`."""
    kept = np.flatnonzero(weights > 0)
    # Entries are sorted by term, so stable sorts keep ties by term; on few users the second is a radix sort.
    order = kept[np.argsort(-weights[kept], kind="stable")]
    user = entries.user[order].astype(np.min_scalar_type(len(entries.users)))
    order = order[np.argsort(user, kind="stable")]
    starts = np.searchsorted(entries.user[order], np.arange(len(entries.users) + 1))
    order = order[np.arange(len(order)) - starts[entries.user[order]] < max_terms]
    starts = np.searchsorted(entries.user[order], np.arange(len(entries.users) + 1))
    pairs = [entries.terms.take(pa.array(entries.term[order])), pa.array(weights[order])]
    terms = pa.ListArray.from_arrays(
        pa.array(starts, pa.int32()), pa.StructArray.from_arrays(pairs, names=["term", "weight"])
    )
    horizons = pa.array([horizon] * len(entries.users))
    return pa.RecordBatch.from_arrays([entries.users, horizons, terms], names=["user_id", "horizon", "terms"])
