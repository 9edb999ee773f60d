"""Term sums: a night's share of every user's interest, before IDF, relative to that night's end."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import InterestSettings, Settings
from chronotope.interest.entries import HORIZONS, Entries, entries_of, lengths_of, sums_by_user, terms_in
from chronotope.interest.texts import Batches
from chronotope.slots import day_end, end_of
from chronotope.tables.interests import TERM_SUMS
from chronotope.weights import DAY_S, decay, weight_of

SUMS = "user_id string, terms string, long array<double>, short array<double>"


def term_sums(events: DataFrame, tokens: DataFrame, settings: Settings, night: dt.date) -> DataFrame:
    """What a night's events add to their users' interests: table `term_sums`.

    `weight(u, w) = sum over events e of u: a(action_e) * tf(w, d_e) * 2^(-(night_end - t_e) / half_life)`, with
    `tf(w, d) = count of w in d / number of terms in d`, so that a long description says no more than a short one, and
    `d_e` the item's text and, as a document of its own, the query. Forward decay (Cormode, Shkapenyuk, Srivastava, Xu:
    Forward Decay, ICDE 2009, section 3) with the night's own end as landmark: nights add up once they are rescaled.

    Late events count with their own time. An event after the night's end, an item not described by then and a text
    without a term add nothing, and later descriptions change no sum; a user to whom all events add nothing has no row.

    Args:
        events: the events that this night took in.
        tokens: what `tokens` gave for them and the items that they name.
        settings: reads `interest` (half-lives, action weights) and `night.time_zone`.
        night: the date whose end the weights refer to, and what the rows are written under.

    """
    documents = document_weights(events, settings, night).join(tokens, "document")
    by_user = documents.select("user_id", *HORIZONS, "terms").repartition("user_id").sortWithinPartitions("user_id")
    added = by_user.mapInArrow(functools.partial(add_up, frequencies), SUMS)
    return TERM_SUMS.conform(added.withColumn("night", F.lit(night)))


def total_sums(term_sums: DataFrame, settings: Settings, night: dt.date) -> DataFrame:
    """The rows of several nights as one row per user, decayed to the end of `night`: what a refresh night keeps.

    A weight that is 1,000 half-lives old underflows to nothing: for the short horizon that is after eight years.

    Args:
        term_sums: those of all nights up to this one.
        settings: reads `interest` (half-lives) and `night.time_zone`.
        night: the date whose end the weights then refer to, and what the rows are written under.

    """
    end_s = int(end_of(night, settings.night.time_zone).timestamp())
    age_s = F.lit(end_s) - F.unix_seconds(day_end(F.col("night"), settings.night.time_zone))
    rows = term_sums.select("user_id", "terms", *HORIZONS, age_s.alias("age_s"))
    by_user = rows.repartition("user_id").sortWithinPartitions("user_id")
    read = rescaler(half_lives_days(settings.interest))
    totals = by_user.mapInArrow(functools.partial(add_up, read), SUMS)
    return TERM_SUMS.conform(totals.withColumn("night", F.lit(night)))


def document_weights(events: DataFrame, settings: Settings, night: dt.date) -> DataFrame:
    """How much each document counts for each user: columns user_id, document, long, short.

    Events are added up per user and item first: a user with a million events has as many rows as items and queries.
    """
    end_s = end_of(night, settings.night.time_zone).timestamp()
    age_s = F.lit(end_s) - F.unix_micros("occurred_at") / F.lit(1e6)
    action = weight_of(F.col("action"), settings.interest.action_weights)
    weights = [
        F.sum(action * decay(age_s, half_life_days)).alias(horizon)
        for horizon, half_life_days in half_lives_days(settings.interest).items()
    ]
    met = events.where(age_s > 0).groupBy("user_id", "item_id", "query").agg(*weights)
    documents = F.array_compact(F.array("item_id", F.md5("query")))
    return met.select("user_id", F.explode(documents).alias("document"), *HORIZONS)


def half_lives_days(settings: InterestSettings) -> dict[str, float]:
    """The half-life of each horizon."""
    return {"long": settings.half_life_long_days, "short": settings.half_life_short_days}


def add_up(read: Callable[[pa.RecordBatch], Entries], batches: Batches) -> Batches:
    """From rows sorted by user, which `read` turns into entries, to one row per user with all terms' sums."""
    for entries in sums_by_user(batches, read):
        starts = pa.array(entries.starts(), pa.int32())
        lists = [entries.terms.take(pa.array(entries.term)), *map(pa.array, entries.weights)]
        terms, *weights = [pa.ListArray.from_arrays(starts, values) for values in lists]
        columns = [entries.users, pc.binary_join(terms, " "), *weights]
        yield pa.RecordBatch.from_arrays(columns, names=["user_id", "terms", *HORIZONS])


def frequencies(batch: pa.RecordBatch) -> Entries:
    """One entry per occurrence of a term, weighing its document's weight over the document's length."""
    terms = terms_in(batch.column("terms"))
    lengths = lengths_of(terms)
    weights = np.stack([batch.column(horizon).to_numpy() for horizon in HORIZONS])
    return entries_of(batch.column("user_id"), lengths, terms.flatten(), np.repeat(weights / lengths, lengths, axis=1))


def rescaler(half_lives_days: Mapping[str, float]) -> Callable[[pa.RecordBatch], Entries]:
    """The function from rows of term sums and `age_s` to entries that are that much older."""

    def rescaled(batch: pa.RecordBatch) -> Entries:
        terms = terms_in(batch.column("terms"))
        lengths, age_days = lengths_of(terms), batch.column("age_s").to_numpy() / DAY_S
        kept = {name: np.repeat(2 ** (-age_days / half_lives_days[name]), lengths) for name in HORIZONS}
        weights = [batch.column(name).flatten().to_numpy() * kept[name] for name in HORIZONS]
        return entries_of(batch.column("user_id"), lengths, terms.flatten(), np.stack(weights))

    return rescaled
