"""How far the forecast interests are from what users then did."""

from __future__ import annotations

import datetime as dt

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.evaluate.evaluations import as_table
from chronotope.evaluate.means import means, standard_errors
from chronotope.slots import daypart_of, end_of

CONTEXT = ("user_id", "daypart", "region")


def evaluate_forecasts(
    forecasts: DataFrame,
    events: DataFrame,
    topics: DataFrame,
    popularity: DataFrame,
    model: str,
    shown_night: dt.date,
    night: dt.date,
    settings: Settings,
) -> DataFrame:
    """Table `evaluations`, protocol `forecast`: the mean absolute error `mae` of last night's forecasts.

    For a user, daypart and region c with events on items after the end of `shown_night`, with o_c(t) the share of
    those events on topic t, p_c(t) the forecast and T the number of topics,

        mae_c = 1 / T * sum over topics of |p_c(t) - o_c(t)|,    mae = mean over the contexts c,

    0 at best, 2 / T at worst. A forecast names its likeliest topics; what they leave of 1 is spread evenly over the
    topics that it does not name. A context without forecast names none, so it counts as uniform, 1 / T each. The
    yardstick `popularity` forecasts each topic's share of all events, for everybody. Intervals are clustered by user.
    (Willmott and Matsuura, "Advantages of the mean absolute error", Climate Research 30 (2005).)

    Args:
        forecasts: rows of `forecasts` that the night `shown_night` published, without those of the rest.
        events: rows of `events` that this night took in.
        topics: item_id, topic: one row for each item that has one. Events on others are left out.
        popularity: item_id, n events; counted before the events under test, as the forecasts were.
        model: model_id of the model that made the forecasts.
        shown_night: the night of the forecasts.
        night: what the rows are written under.
        settings: sections night and evaluate.

    """
    since = events.where(F.col("occurred_at") >= F.lit(end_of(shown_night, settings.night.time_zone)))
    seen = observed(since, topics, settings)
    errors = forecast_errors(seen, forecasts, topics).withColumn("model", F.lit(model))
    yardstick = popularity_errors(seen, topics, popularity).withColumn("model", F.lit("popularity"))
    frame = errors.unionByName(yardstick).select(
        "*", F.lit("forecast").alias("protocol"), F.array(F.lit("all")).alias("slices")
    )
    found = means(frame, {"mae": F.col("mae")}, standard_errors(settings.evaluate.confidence))
    return as_table(found, night)


def observed(events: DataFrame, topics: DataFrame, settings: Settings) -> DataFrame:
    """The share of each topic in each context's events: CONTEXT, topic, share; topics without events have no row."""
    daypart = daypart_of(F.col("slot"), settings.night.dayparts).alias("daypart")
    met = events.select("user_id", daypart, F.coalesce("region", F.lit("")).alias("region"), "item_id")
    counted = met.join(topics, "item_id").groupBy(*CONTEXT, "topic").agg(F.count("*").alias("n"))
    totals = counted.groupBy(*CONTEXT).agg(F.sum("n").alias("total"))
    return counted.join(totals, [*CONTEXT]).select(*CONTEXT, "topic", (F.col("n") / F.col("total")).alias("share"))


def forecast_errors(seen: DataFrame, forecasts: DataFrame, topics: DataFrame) -> DataFrame:
    """The error of each context's forecast, its rest spread evenly: user_id, mae."""
    contexts = seen.select(*CONTEXT).distinct()
    relevant = forecasts.join(contexts, [*CONTEXT], "left_semi").select(*CONTEXT, "topic", "probability")
    joined = relevant.join(seen, [*CONTEXT, "topic"], "full").crossJoin(F.broadcast(number_of(topics)))
    context = Window.partitionBy(*CONTEXT)
    rest = F.greatest(1 - F.coalesce(F.sum("probability").over(context), F.lit(0.0)), F.lit(0.0))
    unnamed = F.col("n_topics") - F.count("probability").over(context)
    spread = joined.withColumn("even", F.when(unnamed > 0, rest / unnamed).otherwise(F.lit(0.0)))
    error = F.sum(F.abs(F.coalesce("probability", "even") - F.coalesce("share", F.lit(0.0))))
    # Topics that were neither named nor observed have no row here, and each is wrong by its part of the rest.
    error += (F.max("n_topics") - F.count("*")) * F.max("even")
    return spread.groupBy(*CONTEXT).agg((error / F.max("n_topics")).alias("mae"))


def popularity_errors(seen: DataFrame, topics: DataFrame, popularity: DataFrame) -> DataFrame:
    """The error of each context under the topics' shares of all events: user_id, mae."""
    counted = popularity.join(topics, "item_id").groupBy("topic").agg(F.sum("n").alias("n"))
    total = counted.agg(F.sum("n").alias("total"))
    usual = counted.crossJoin(F.broadcast(total)).select("topic", (F.col("n") / F.col("total")).alias("usual"))
    joined = seen.join(F.broadcast(usual), "topic", "left").crossJoin(F.broadcast(number_of(topics)))
    forecast = F.coalesce("usual", F.lit(0.0))
    # The topics that were not observed are wrong by their whole share, which is what is left of 1.
    error = F.sum(F.abs(forecast - F.col("share"))) + 1 - F.sum(forecast)
    return joined.groupBy(*CONTEXT).agg((error / F.max("n_topics")).alias("mae"))


def number_of(topics: DataFrame) -> DataFrame:
    """One row: n_topics, the distinct topics."""
    return topics.agg(F.countDistinct("topic").alias("n_topics"))
