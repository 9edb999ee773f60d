"""Which lists are made: the times and places that a user is likely to ask about, and the items not to show again."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from chronotope.config import NightSettings, RecommendSettings


def likely_contexts(forecasts: DataFrame, max_contexts: int) -> DataFrame:
    """One row per user: the likeliest contexts first, as two arrays of one length, dayparts and regions.

    Ties in `context_probability` by daypart, then region.

    Args:
        forecasts: rows of the table `forecasts`, or any frame of user_id, daypart, region and context_probability;
            rows that repeat a context (one per topic) count once.
        max_contexts: contexts kept per user.
    """
    likelihood = F.struct((-F.col("context_probability")).alias("p"), "daypart", "region")
    ordered = F.sort_array(F.collect_set(likelihood))  # one shuffle: the rows that repeat a context come together here
    contexts = F.array_distinct(F.transform(ordered, lambda context: F.struct(context["daypart"], context["region"])))
    likeliest = forecasts.groupBy("user_id").agg(F.slice(contexts, 1, max_contexts).alias("contexts"))
    return likeliest.select(
        "user_id", F.col("contexts.daypart").alias("dayparts"), F.col("contexts.region").alias("regions")
    )


def seen_items(counts: DataFrame, recommend: RecommendSettings) -> DataFrame | None:
    """The items that each user must not be shown again: distinct user_id, item_id; None where seen items are kept.

    Args:
        counts: rows of table `counts` that stand for the users: an item bought two years ago is still owned.
        recommend: `seen` decides; which actions hide was decided by `hide_actions` when they were counted.
    """
    if recommend.seen == "keep":
        return None
    return counts.where(F.col("hiding") > 0).select("user_id", "item_id").distinct()


def users_asked(
    histories: DataFrame,
    forecasts: DataFrame,
    user_states: DataFrame | None,
    hidden_items: DataFrame | None,
    night: NightSettings,
    max_contexts: int,
) -> DataFrame:
    """All that is needed of a user in one row: the history's arrays, dayparts, regions, encoded, hidden.

    Every user of `histories` stays. Who has no forecast is asked about every daypart without a region; `encoded`
    (state, long and short in one array) and `hidden` (item_ids) are null where there are none.
    """
    anywhen = list(night.dayparts)[:max_contexts]
    users = histories.drop("event_id").join(likely_contexts(forecasts, max_contexts), "user_id", "left")
    users = users.withColumns(
        {
            "dayparts": F.coalesce("dayparts", F.array(*[F.lit(name) for name in anywhen])),
            "regions": F.coalesce("regions", F.array(*[F.lit("") for _ in anywhen])),
            "encoded": F.lit(None).cast("array<float>"),
            "hidden": F.lit(None).cast("array<string>"),
        }
    )
    if user_states is not None:
        states = user_states.select("user_id", F.concat("state", "long", "short").alias("encoded"))
        users = users.drop("encoded").join(states, "user_id", "left")
    if hidden_items is not None:
        hidden = hidden_items.groupBy("user_id").agg(F.collect_set("item_id").alias("hidden"))
        users = users.drop("hidden").join(hidden, "user_id", "left")
    return users
