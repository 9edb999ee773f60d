"""What the users of a night did and like, as mixes over bins.

Each user counts once, with the shares of their own events (or terms): a single user with very many events moves a mix
by one user's weight, and the number of users says what chance alone would do.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from chronotope.evaluate.lists import total
from chronotope.train.scoring import Floats

ACTION, TERM, BUCKET = "action", "term", "bucket"
KEPT_BINS = 200  # largest bins that are kept: a bin beyond four times those that drift compares is next to nothing
BUCKET_BITS = 4  # 16 buckets of texts: with a hundred users a bucket still has some
PLANES_SEED = 20260101  # no setting: other planes would be a drift of all texts
ROUND_DIGITS = 9  # sums differ in their last bits between partitionings: which bins are kept must not
NO_TEXT = "none"  # bucket of items without text


def mixes(events: DataFrame, interests: DataFrame, buckets: DataFrame) -> DataFrame:
    """The largest bins of each mix: about, bin, mass (users there), users (of all bins together).

    `about` is `action` (of events), `bucket` (of the texts of items met) or `term` (of the short interests of users
    with events). Ties among the `KEPT_BINS` largest go by name; whoever has none of it is in no mix.

    Args:
        events: rows of `events` of one night.
        interests: rows of `interests`, one per user and horizon.
        buckets: item_id, bucket; an item that is not there has no text.

    """
    active = events.select("user_id").distinct()
    theirs = interests.where(F.col("horizon") == "short").join(active, "user_id", "left_semi")
    shares = event_shares(events, buckets).unionByName(term_shares(theirs))
    masses = shares.groupBy("about", "bin").agg(F.sum("share").alias("mass"))
    of_mix = Window.partitionBy("about")
    largest = of_mix.orderBy(F.desc(F.round("mass", ROUND_DIGITS)), "bin")
    users = F.round(F.sum("mass").over(of_mix)).cast("bigint")  # each user's shares add up to 1
    numbered = masses.withColumns({"users": users, "place": F.row_number().over(largest)})
    return numbered.where(F.col("place") <= KEPT_BINS).drop("place")


def event_shares(events: DataFrame, buckets: DataFrame) -> DataFrame:
    """Each user's events by action, and those on items by bucket, as shares of all of theirs: user_id, about, bin,
    share.
    """  # fmt: skip
    described = events.select("user_id", "item_id", "action").join(buckets, "item_id", "left")
    bucket = F.when(F.col("item_id").isNotNull(), F.coalesce("bucket", F.lit(NO_TEXT)))
    bins = F.array(in_mix(ACTION, F.col("action")), in_mix(BUCKET, bucket))
    apart = described.select("user_id", F.explode(bins).alias("of")).select("user_id", "of.*")
    counted = apart.where(F.col("bin").isNotNull()).groupBy("user_id", "about", "bin").agg(F.count("*").alias("n"))
    of_user = F.sum("n").over(Window.partitionBy("user_id", "about"))
    return counted.select("user_id", "about", "bin", (F.col("n") / of_user).alias("share"))


def in_mix(about: str, bin: Column) -> Column:
    """The bin of an event in one mix, as a struct."""
    return F.struct(F.lit(about).alias("about"), bin.alias("bin"))


def term_shares(interests: DataFrame) -> DataFrame:
    """Each user's terms as shares of their weights together: user_id, about, bin, share."""
    weights = total(F.transform("terms", lambda of: of["weight"]))
    known = interests.withColumn("weights", weights).where(F.col("weights") > 0)
    apart = known.select("user_id", "weights", F.explode("terms").alias("of"))
    share = (F.col("of.weight") / F.col("weights")).alias("share")
    return apart.select("user_id", F.lit(TERM).alias("about"), F.col("of.term").alias("bin"), share)


def text_buckets(events: DataFrame, items: DataFrame, embeddings: DataFrame) -> DataFrame:
    """The bucket of the text of each item met: item_id, bucket.

    Args:
        events: rows of `events` of one night.
        items: current rows of `items`.
        embeddings: rows of `item_embeddings` of one encoder.

    """
    met = events.select("item_id").distinct()
    digests = items.select("item_id", "text_digest").join(met, "item_id", "left_semi")
    described = digests.join(embeddings.select("text_digest", "embedding"), "text_digest")

    def name(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
        return (bucket_batch(batch) for batch in batches if len(batch))

    return described.select("item_id", "embedding").mapInArrow(name, "item_id string, bucket string")


def bucket_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Replace the column `embedding` of a batch by `bucket`."""
    vectors = batch.column("embedding").flatten().to_numpy(zero_copy_only=False).reshape(len(batch), -1)
    return pa.RecordBatch.from_arrays([batch.column("item_id"), pa.array(buckets_of(vectors))], ["item_id", "bucket"])


def buckets_of(embedding: Floats) -> list[str]:
    """The bucket of each text embedding [N, E]: on which side of `BUCKET_BITS` random hyperplanes it lies, as bits.

    Two texts lie on one side of a plane with the chance 1 - angle / pi (Charikar, "Similarity estimation techniques
    from rounding algorithms", STOC 2002, section 3). Unlike clusters, the planes stay where they are from night to
    night, whatever the settings are, so buckets of different nights are the same. Zero vectors, of items without text,
    are `none`.
    """
    planes = np.random.default_rng(PLANES_SEED).standard_normal((embedding.shape[1], BUCKET_BITS))
    sides = embedding.astype(np.float64) @ planes > 0
    bits = ["".join("1" if side else "0" for side in row) for row in sides]
    has_text = (embedding != 0).any(axis=1)
    return [bucket if there else NO_TEXT for bucket, there in zip(bits, has_text, strict=True)]
