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
    Ints,
    first_of_each,
    indices,
    stable_sort,
    sums_by_user,
    with_column,
)
from chronotope.interest.frequencies import idf_of
from chronotope.interest.sums import half_lives_days, rescaler
from chronotope.interest.texts import Batches
from chronotope.slots import day_end, end_of
from chronotope.tables.interests import INTERESTS

DROPPED_BITS = 23  # of the 53 of a double's significand
TOP = 1024 << 52 - DROPPED_BITS  # 2, as `rounded` gives it: above every weight of a vector of norm 1
PIECE_ROWS = 1000  # some 500,000 terms: twice as fast as 10,000 rows, whose arrays leave the processor's cache


def interests(
    term_sums: DataFrame,
    terms: DataFrame,
    settings: Settings,
    night: dt.date,
    single: bool = False,
) -> DataFrame:
    """Every user's interest vector at a night's end, over the long and the short horizon: table `interests`.

    `I_u(w) = idf(w) * sum over nights n of weight_n(u, w) * 2^(-(T - end_n) / half_life)`, divided by the L2 norm over
    all terms, then the `interest.max_terms` heaviest. Weights are rounded to 30 bits (1e-9 of their size) before they
    are ranked; ties go by term, by code point. A term newer than the count has the IDF of DF = 0.

    All of a user's weights age at the same rate and the norm takes it out again, so T may be any moment: the user's own
    latest night is taken, which keeps weights from underflowing however long ago that was, and the vector of a
    user whom no night touches stays right. A vector without any weight (all IDF zero) has a row with no terms.

    Args:
        term_sums: those of the users wanted, of all nights up to this one.
        terms: the current version of table `terms`. Vocabulary and IDF, not the users, pass through the driver.
        settings: reads `interest` and `night.time_zone`.
        night: gives `as_of`, and what the rows are written under.
        single: whether `term_sums` have one row per user, as on a refresh night: they are not moved then.

    """
    ended_s = F.unix_seconds(day_end(F.col("night"), settings.night.time_zone)).alias("ended_s")
    rows = term_sums.select("user_id", "terms", *HORIZONS, ended_s)
    if not single:
        rows = rows.repartition("user_id").sortWithinPartitions("user_id", F.desc("ended_s"))
    idf = Idf.collect(terms, settings.interest.idf)
    schema = "user_id string, horizon string, terms array<struct<term:string,weight:double>>"
    weigh = weigher(idf, half_lives_days(settings.interest), settings.interest.max_terms)
    vectors = rows.mapInArrow(weigh, schema)
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
        of_unseen = idf_of(F.col("n_documents"), F.lit(0), kind).alias("unseen")
        known = terms.select("term", "idf", of_unseen, "version").toArrow()
        values = known.column("idf").to_numpy()
        if not len(values):
            return cls(pa.array([], pa.string()), values, float(kind == "smooth"), "")
        unseen, version = (known.column(name)[0].as_py() for name in ("unseen", "version"))
        return cls(known.column("term").combine_chunks(), values, unseen, version)

    def of(self, terms: pa.Array) -> Floats:
        """The IDF of each term."""
        found = pc.index_in(terms, value_set=self.terms)
        at = np.asarray(found.fill_null(len(self.terms)).to_numpy(), np.int64)
        return np.append(self.values, self.unseen)[at]


def weigher(idf: Idf, half_lives_days: Mapping[str, float], max_terms: int) -> Callable[[Batches], Batches]:
    """The Arrow function from rows of term sums and `ended_s`, latest first, to rows (user_id, horizon, terms)."""
    rescaled = rescaler(half_lives_days)

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
            yield with_column(batch, "age_s", pa.array(ages))


def normalised(entries: Entries, weights: Floats) -> Floats:
    """Weights [E] over their user's L2 norm; zero where the norm is.

    They are divided by the user's largest weight first, for the squares of small ones would underflow.
    """
    starts = entries.starts()
    lengths, starts = np.diff(starts), starts[:-1]
    largest = np.maximum.reduceat(weights, starts)
    shares = weights / np.repeat(np.where(largest > 0, largest, 1), lengths)
    norm = np.sqrt(np.add.reduceat(shares**2, starts))
    return np.asarray(shares / np.repeat(np.where(norm > 0, norm, 1), lengths))


def candidates(entries: Entries, weights: Floats, max_terms: int) -> Ints:
    """Which entries [E] may be among their user's `max_terms` heaviest: most terms need no sorting.

    More than those where weights differ by too little to tell them apart once they are rounded.
    """
    starts = entries.starts()
    least = np.zeros(len(entries.users))
    for user in np.flatnonzero(np.diff(starts) > max_terms):
        least[user] = np.partition(weights[starts[user] : starts[user + 1]], -max_terms)[-max_terms]
    return np.flatnonzero(weights >= np.repeat(least * (1 - 1e-8), np.diff(starts)))


def strongest(entries: Entries, horizon: str, weights: Floats, max_terms: int) -> pa.RecordBatch:
    """One row per user with the terms of positive weight, heaviest first, ties by term, at most `max_terms`."""
    kept = candidates(entries, weights, max_terms)
    size = rounded(weights[kept])
    # Entries are sorted by term, so stable sorts keep ties by term; on few users the second is a radix sort.
    below, by_weight = stable_sort(TOP - size, TOP + 1)
    order = by_weight[: np.searchsorted(below, TOP)]
    user = entries.user[kept[order]].astype(np.min_scalar_type(len(entries.users)))
    order = order[np.argsort(user, kind="stable")]
    n = np.bincount(user, minlength=len(entries.users))
    place = np.arange(len(order)) - np.repeat(np.cumsum(n) - n, n)
    order = order[place < max_terms]
    starts = np.append(0, np.cumsum(np.minimum(n, max_terms)))
    pairs = [entries.terms.take(pa.array(entries.term[kept[order]])), pa.array(as_weights(size[order]))]
    terms = pa.ListArray.from_arrays(
        pa.array(starts, pa.int32()), pa.StructArray.from_arrays(pairs, names=["term", "weight"])
    )
    horizons = pa.array([horizon] * len(entries.users))
    return pa.RecordBatch.from_arrays([entries.users, horizons, terms], names=["user_id", "horizon", "terms"])


def rounded(weights: Floats) -> Ints:
    """Non-negative weights to 30 significant bits, as integers in the same order; those below 1e-316 are zero."""
    return (weights.view(np.int64) + (1 << DROPPED_BITS - 1)) >> DROPPED_BITS


def as_weights(size: Ints) -> Floats:
    """What `rounded` made integers of."""
    return (size << DROPPED_BITS).view(np.float64)
