"""How much an event counts: by its action, and by its age."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

DAY_S = 86_400.0


def weight_of(action: Column, action_weights: Mapping[str, float]) -> Column:
    """The weight of an action; 1 when it is not listed."""
    listed = [F.when(action == name, F.lit(float(weight))) for name, weight in action_weights.items()]
    return F.coalesce(*listed, F.lit(1.0))


def decay(age_s: Column, half_life_days: float) -> Column:
    """What is left of a weight after `age_s` seconds."""
    return F.pow(F.lit(2.0), -age_s / F.lit(half_life_days * DAY_S))
