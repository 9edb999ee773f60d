"""Plain-Python twins of stage recommend: one list at a time, item by item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.oracles.sessions import distance_m


def may_stand(
    items: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], steps: Sequence[Mapping[str, Any]],
    daypart: str, region: str, hidden: set[str], popular_size: int, near_m: float,
) -> set[str]:  # fmt: skip
    """The item_ids that may stand in a list for a region ("" for none)."""
    offered = [item for item in items if not item["gone"]] or items
    everything = {item["item_id"] for item in offered}
    if region:
        of_place = {item["item_id"] for item in offered if item["region"] in (region, None)}
        here = [event for event in events if event["region"] == region and event["item_id"] in everything]
        at_time = [event for event in here if event["daypart"] == daypart]
        own = [step for step in steps if step["region"] == region]
        allowed = of_place | top(here, popular_size) | top(at_time, popular_size)
        allowed |= {step["item_id"] for step in own} & everything
        allowed |= {item["item_id"] for item in offered for step in own if is_near(item, step, near_m)}
    else:
        allowed = everything
    return (allowed - hidden) or (everything - hidden) or everything


def is_near(item: Mapping[str, Any], step: Mapping[str, Any], near_m: float) -> bool:
    """Whether an item is within reach of a step's place."""
    apart_m = distance_m(item, step)
    return apart_m is not None and apart_m <= near_m


def top(events: Sequence[Mapping[str, Any]], size: int) -> set[str]:
    """The most frequent items of some events, ties by item_id."""
    counts: dict[str, int] = {}
    for event in events:
        counts[event["item_id"]] = counts.get(event["item_id"], 0) + event["n"]
    return set(sorted(counts, key=lambda item_id: (-counts[item_id], item_id))[:size])


def best(parts: Mapping[str, Mapping[str, float]], allowed: set[str], k: int) -> list[tuple[str, float]]:
    """(item_id, score) of the k best, by the sum of the item's parts; ties by item_id."""
    scores = {item_id: round(sum(parts[item_id].values()), 6) for item_id in allowed}
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:k]
