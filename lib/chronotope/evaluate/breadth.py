"""How broad the shown lists are: coverage of the catalogue, and novelty of the items."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from chronotope.evaluate.means import GROUP
from chronotope.train.scoring import Catalogue


def popularity_of(spark: SparkSession, catalogue: Catalogue) -> DataFrame:
    """Events per item as a model's catalogue counted them: item_id, n."""
    n = np.asarray(catalogue.popularity[: len(catalogue.dayparts)].sum(axis=0)).ravel()
    rows = list(zip(catalogue.item_ids, n.astype(int).tolist(), strict=True))
    return spark.createDataFrame(rows, "item_id string, n bigint")


def breadth(frame: DataFrame, ks: Sequence[int], popularity: DataFrame) -> DataFrame:
    """Coverage@k and novelty@k of each group, without intervals: GROUP, metric, value, low, high, n.

    coverage@k: distinct items among the first k of the group's lists, over the candidates (n). Ge, Delgado-Battenfeld
    and Jannach, "Beyond accuracy", RecSys 2010, section 2.1.

    novelty@k: mean of `-log2(share of the item in all events)` over the items at the first k places of the lists (n),
    in bits; an item without events counts as one with one. 0 when everybody is shown the only item there is. Null
    where no list shows anything. Zhou et al., "Solving the apparent diversity-accuracy dilemma", PNAS 107 (2010),
    "Materials and methods".

    Args:
        frame: model, protocol, `slices`, `top` (items shown, best first) and n_candidates.
        ks: list lengths; a list that is shorter counts as it is.
        popularity: item_id, n events.

    """
    shown = counted(frame, ks)
    events = popularity.agg(F.sum("n").alias("events"))
    share = F.try_divide(F.greatest(F.coalesce("n", F.lit(1)), F.lit(1)), F.col("events"))
    novel = shown.join(popularity, "item_id", "left").crossJoin(F.broadcast(events)).withColumn("bits", -F.log2(share))
    metrics = []
    for k in ks:
        times, there = F.col(f"times_{k}"), F.col(f"times_{k}") > 0
        covered, places = F.count_if(there), F.sum(times)
        metrics.append(entry(f"coverage@{k}", F.try_divide(covered, F.max("n_candidates")), F.max("n_candidates")))
        bits = F.sum(F.when(there, times * F.col("bits")))
        metrics.append(entry(f"novelty@{k}", bits / F.when(places > 0, places), places))
    grouped = novel.groupBy(*GROUP).agg(F.array(*metrics).alias("metrics"))
    return grouped.select(*GROUP, F.explode("metrics").alias("of")).select(*GROUP, "of.*")


def counted(frame: DataFrame, ks: Sequence[int]) -> DataFrame:
    """How often each item is among the first k of a group's lists: GROUP, item_id, n_candidates, times_k for each k.

    A group that shows nothing has one row, with a null item and zeros.
    """
    placed = F.posexplode_outer("top").alias("place", "item_id")
    places = frame.select("model", "protocol", "slices", "n_candidates", placed)
    firsts = [F.count_if(F.col("place") < k).alias(f"times_{k}") for k in ks]
    most = F.max("n_candidates").alias("n_candidates")
    # Lists of equal slices are added up before the slices are taken apart, which leaves a tenth of the rows.
    together = places.groupBy("model", "protocol", "slices", "item_id").agg(most, *firsts)
    apart = together.withColumn("slice", F.explode("slices"))
    return apart.groupBy(*GROUP, "item_id").agg(most, *[F.sum(f"times_{k}").alias(f"times_{k}") for k in ks])


def entry(metric: str, value: Column, n: Column) -> Column:
    """A metric without interval, as a struct of what `evaluations` has."""
    nothing = F.lit(None).cast("double")
    return F.struct(
        F.lit(metric).alias("metric"),
        value.cast("double").alias("value"),
        nothing.alias("low"),
        nothing.alias("high"),
        n.cast("bigint").alias("n"),
    )
