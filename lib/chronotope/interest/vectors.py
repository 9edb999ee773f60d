"""Interest vectors: the nights' term sums brought to one moment, times IDF, normalised, strongest terms first."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.interest.entries import (
    HORIZONS,
    Entries,
    Floats,
    entries_of,
    first_of_each,
    indices,
    lengths_of,
    sums_by_user,
)
from chronotope.interest.frequencies import idf_of
from chronotope.interest.sums import DAY_S, half_lives_days
from chronotope.interest.texts import Batches
from chronotope.slots import day_end, end_of
from chronotope.tables.interests import INTERESTS

MANTISSA_BITS = 30
PIECE_ROWS = 1000  # some 500,000 terms: twice as fast as 10,000 rows, whose arrays leave the processor's cache


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
    ended_s = F.unix_seconds(day_end(F.col("night"), settings.night.time_zone)).alias("ended_s")
    rows = wanted.select("user_id", "terms", *HORIZONS, ended_s).repartition("user_id")
    idf = Idf.collect(terms, settings.interest.idf)
    schema = "user_id string, horizon string, terms array<struct<term:string,weight:double>>"
    weigh = weigher(idf, half_lives_days(settings.interest), settings.interest.max_terms)
    vectors = rows.sortWithinPartitions("user_id", F.desc("ended_s")).mapInArrow(weigh, schema)
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


def weigher(idf: Idf, half_lives_days: Mapping[str, float], max_terms: int) -> Callable[[Batches], Batches]:
    """The Arrow function from rows of term sums and `ended_s`, latest first, to rows (user_id, horizon, terms)."""

    def rescaled(batch: pa.RecordBatch) -> Entries:
        terms = pc.split_pattern(batch.column("terms"), " ")
        lengths, age_days = lengths_of(terms), batch.column("age_s").to_numpy() / DAY_S
        kept = {name: np.repeat(2 ** (-age_days / half_lives_days[name]), lengths) for name in HORIZONS}
        weights = [batch.column(name).flatten().to_numpy() * kept[name] for name in HORIZONS]
        return entries_of(batch.column("user_id"), lengths, terms.flatten(), np.stack(weights))

    def weigh(batches: Batches) -> Batches:
        for entries in sums_by_user(with_ages(pieces(batches)), rescaled):
            term_idf = idf.of(entries.terms)[entries.term]
            for horizon, weights in zip(HORIZONS, entries.weights, strict=True):
                yield strongest(entries, horizon, normalised(entries, weights * term_idf), max_terms)

    return weigh


def pieces(batches: Batches) -> Batches:
    """The rows of batches, at most `PIECE_ROWS` at a time."""
    for batch in batches:
        yield from (batch.slice(start, PIECE_ROWS) for start in range(0, batch.num_rows, PIECE_ROWS))


def with_ages(batches: Batches) -> Batches:
    """Add `age_s`, how much earlier a row's night ended than its user's latest; rows come by user, latest first."""
    user, latest_s = None, 0
    for batch in batches:
        if batch.num_rows:
            users, ended_s = batch.column("user_id"), batch.column("ended_s").to_numpy()
            first = first_of_each(indices(users.dictionary_encode()))
            latest = ended_s[first]
            if users[0].as_py() == user:  # of whom the batch before had the latest night
                latest[0] = latest_s
            user, latest_s = users[-1].as_py(), latest[-1]
            ages = np.repeat(latest, np.diff(first, append=len(users))) - ended_s
            yield batch.append_column("age_s", pa.array(ages))


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


def least_shown(entries: Entries, weights: Floats, max_terms: int) -> Floats:
    """[U] the weight of each user's term number `max_terms`, 0 for users with fewer: most terms need no sorting."""
    starts = entries.starts()
    least = np.zeros(len(entries.users))
    for user in np.flatnonzero(np.diff(starts) > max_terms):
        least[user] = np.partition(weights[starts[user] : starts[user + 1]], -max_terms)[-max_terms]
    return least


def strongest(entries: Entries, horizon: str, weights: Floats, max_terms: int) -> pa.RecordBatch:
    """One row per user with the terms of positive weight, heaviest first, ties by term, at most `max_terms`."""
    kept = np.flatnonzero((weights > 0) & (weights >= least_shown(entries, weights, max_terms)[entries.user]))
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
