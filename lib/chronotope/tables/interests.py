"""What users are interested in, as weighted terms."""

from __future__ import annotations

from chronotope.tables.declaration import Column, Table
from chronotope.tables.night import NIGHT

INTERESTS = Table(
    name="interests",
    purpose="What each user is interested in, as weighted terms, over a long and a short horizon.",
    grain="one row per user and horizon",
    key=("user_id", "horizon"),
    current="latest_per_key",
    renewed=True,
    columns=(
        Column("user_id", "string", "as in events"),
        Column("horizon", "string", "long or short: which half-life weighted the events"),
        Column(
            "terms",
            "array<struct<term:string,weight:double>>",
            "the strongest terms, heaviest first, ties by term; the full vector has L2 norm 1",
        ),
        Column("as_of", "timestamp", "the moment that the decay refers to, UTC"),
        Column("idf_version", "string", "the version in terms whose IDF was used"),
        NIGHT,
    ),
)

TERM_SUMS = Table(
    name="term_sums",
    purpose="The nights' partial sums of TF-IDF interest, decayed to their own night's end: adding up nights costs a "
    "rescale, not a recount. Those of a refresh night hold all before it, summed anew from all events if settings "
    "changed.",
    grain="one row per user and night",
    key=("user_id", "night"),
    current="all",
    renewed=True,
    columns=(
        Column("user_id", "string", "as in events"),
        Column("terms", "string", "normalised terms, sorted and joined by spaces, which no term has"),
        Column(
            "long",
            "array<double>",
            "for each of the terms the sum of action weight, term frequency and decay to the end of `night` with the "
            "half-life of the long horizon, before IDF",
        ),
        Column("short", "array<double>", "the same with the half-life of the short horizon"),
        NIGHT,
    ),
)

TERMS = Table(
    name="terms",
    purpose="Inverse document frequencies, recounted every night.refresh_days and named by their version.",
    grain="one row per term and version",
    key=("term", "version"),
    current="latest_night",
    columns=(
        Column("term", "string", "normalised term"),
        Column("document_frequency", "bigint", "documents that have the term"),
        Column("idf", "double", "inverse document frequency, see chronotope.interest"),
        Column("n_documents", "bigint", "documents counted"),
        Column("version", "string", "the night on which these were counted, as text"),
        NIGHT,
    ),
)
