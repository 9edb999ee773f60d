"""Which model may publish: the new one, unless another is better beyond doubt."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from chronotope.evaluate.means import means
from chronotope.evaluate.metrics import reciprocal_rank


@dataclass(frozen=True)
class Decision:
    """The model that makes the night's tables, and why, in words with figures."""

    model_id: str
    reason: str


def decide(
    ranks: DataFrame,
    new: str | None,
    recent: str | None,
    counts: str,
    confidence: float,
    protocol: str = "tail_morning",
) -> Decision:
    """Let the newest model publish unless it is significantly worse than the best of the others.

    The models answer the same queries, so they are compared query by query: the mean of the differences of the
    reciprocal ranks with a standard error clustered by user (`chronotope.evaluate.means`). The newest is refused
    when the upper one-sided bound of its difference from the best other is below zero. A model without an answer to
    a query has a reciprocal rank of 0 there.

    Without queries, or with those of one user only, nothing can be told apart, and the count model publishes, which
    has nothing to get wrong.

    Args:
        ranks: rows of table `ranks` of one night.
        new: the model trained tonight; None when none was.
        recent: the model that made last night's tables; None when there is none. It may be the count model.
        counts: the count model.
        confidence: one-sided, of the refusal.
        protocol: under which they are compared; morning lists are what is published.

    """
    names = list(dict.fromkeys(name for name in (new, recent, counts) if name is not None))
    newest, *others = names
    if not others:
        return Decision(counts, f"{counts} publishes: there is no other model")
    found = compared(ranks.where(F.col("protocol") == protocol), names, confidence)
    if not found or found[newest]["low"] is None:
        return Decision(counts, f"{counts} publishes: the tail has queries of fewer than two users to compare on")
    best = max(others, key=lambda name: found[name]["value"])
    worse = found[against(best)]["high"] < 0
    verdict = f"{best} publishes: {newest} is worse" if worse else f"{newest} publishes: it is not worse than {best}"
    return Decision(best if worse else newest, f"{verdict}; {figures(found, newest, best, confidence)}")


def compared(ranks: DataFrame, names: list[str], confidence: float) -> dict[str, Row]:
    """Mean reciprocal ranks of the models by name, and mean differences of the first from the others by `against`."""
    position = {name: f"m{i}" for i, name in enumerate(names)}
    answers = [score_of(name).alias(i) for name, i in position.items()]
    queries = ranks.where(F.col("model").isin(*names)).groupBy("query_id", "user_id").agg(*answers)
    metrics = {name: F.col(i) for name, i in position.items()}
    metrics |= {against(name): F.col("m0") - F.col(position[name]) for name in names[1:]}
    nothing = F.lit("")  # one group: there is no model, protocol or slice to tell apart
    frame = queries.withColumns({"model": nothing, "protocol": nothing, "slices": F.array(nothing)})
    rows = means(frame, metrics, NormalDist().inv_cdf(confidence), bounded=False).collect()
    return {row["metric"]: row for row in rows}


def score_of(model: str) -> Column:
    """The model's reciprocal rank in a query, as an aggregate over the rows of `ranks` of that query."""
    reciprocal = reciprocal_rank(F.col("rank"), F.col("n_candidates"))
    return F.coalesce(F.max(F.when(F.col("model") == model, reciprocal)), F.lit(0.0))


def against(name: str) -> str:
    """What the difference of the newest model from another is called."""
    return f"newest - {name}"


def figures(found: dict[str, Row], newest: str, best: str, confidence: float) -> str:
    """What the decision rests on, in words."""
    difference = found[against(best)]
    return (
        f"mean reciprocal rank over {difference['n']} queries: {found[newest]['value']:.4f} for {newest}, "
        f"{found[best]['value']:.4f} for {best}, difference {difference['value']:+.4f} "
        f"({difference['low']:+.4f} to {difference['high']:+.4f}, one-sided {confidence:.0%} bounds)"
    )
