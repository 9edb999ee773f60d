"""A small catalogue, a scorer whose numbers are exact in binary, and histories for the tests of stage recommend."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from chronotope.slots import daypart_names
from chronotope.train.scoring import Catalogue

DAYPARTS = {"weekday": [[0, 4, 0, 24]], "weekend": [[5, 6, 0, 24]]}
REGIONS = ["east", "west"]
ACTIONS = ["buy", "view"]
STEP = {
    "item_id": "a", "action": "view", "occurred_at_s": 0.0, "slot": 10, "region": "west", "lat": None, "lon": None,
    "gap_s": None, "distance_m": None,
}  # fmt: skip


def item(
    item_id: str, region: str | None = None, lat: float | None = None, lon: float | None = None, category: str = "",
    gone: bool = False,
):  # fmt: skip
    return {"item_id": item_id, "region": region, "lat": lat, "lon": lon, "category": category, "gone": gone}


def event(item_id: str, n: int = 1, region: str | None = "west", daypart: str = "weekday"):
    return {"item_id": item_id, "n": n, "region": region, "daypart": daypart}


def catalogue(items: list[dict[str, Any]], events: list[dict[str, Any]] = ()) -> Catalogue:
    items = sorted(items, key=lambda each: each["item_id"])
    ids = [each["item_id"] for each in items]
    dayparts = list(DAYPARTS)
    popularity = np.zeros(((1 + len(REGIONS)) * len(dayparts), len(ids)), np.float32)
    for each in events:
        daypart, column = dayparts.index(each["daypart"]), ids.index(each["item_id"])
        popularity[daypart, column] += each["n"]
        if each["region"]:
            popularity[(1 + REGIONS.index(each["region"])) * len(dayparts) + daypart, column] += each["n"]
    return Catalogue(
        item_ids=ids,
        categories=[each["category"] for each in items],
        languages=[""] * len(ids),
        lat=np.array([each["lat"] for each in items], float),
        lon=np.array([each["lon"] for each in items], float),
        region=np.array([REGIONS.index(each["region"]) if each["region"] else -1 for each in items]),
        embedding=np.zeros((len(ids), 1), np.float32),
        gone=np.array([each["gone"] for each in items], bool),
        regions=REGIONS,
        actions=ACTIONS,
        dayparts=dayparts,
        daypart_of_slot=np.array([dayparts.index(name) for name in daypart_names(DAYPARTS)]),
        popularity=sparse.csr_matrix(popularity),
        transitions=sparse.csr_matrix((len(ids), len(ids)), dtype=np.float32),
        visitors=popularity[: len(dayparts)].sum(axis=0).astype(np.float32),
        trending=popularity[: len(dayparts)].sum(axis=0).astype(np.float32),
    )


@dataclasses.dataclass
class PlainScorer:
    """Three parts: `interest`, a weight per item; `habit`, 0.5 per step on it; `this_time`, from state and slot."""

    catalogue: Catalogue
    weights: tuple[float, ...]
    model_id: str = "plain"

    def encode(self, users, queries):
        steps = queries.known_steps.astype(np.float32)
        return np.stack([steps % 4, np.ones_like(steps), steps], axis=1)

    def score(self, states, users, queries, among=None):
        among = np.arange(len(self.weights)) if among is None else among
        every = np.broadcast_to(among, (len(queries.user), len(among)))
        return sum(self.parts(states, users, queries, every).values())

    def parts(self, states, users, queries, items, among=None):
        habit = (users.item[queries.user][:, None, :] == items[:, :, None]).sum(axis=2)
        this_time = states[:, :1] * ((items + queries.slot[:, None]) % 3)
        return {
            "interest": np.array(self.weights, np.float32)[items],
            "habit": (0.5 * habit).astype(np.float32),
            "this_time": (0.25 * this_time).astype(np.float32),
        }


def plain_parts(scorer: PlainScorer, steps: list[dict[str, Any]], slot: int) -> dict[str, dict[str, float]]:
    """The parts of every item as PlainScorer should give them, by item_id."""
    return {
        item_id: {
            "interest": scorer.weights[j],
            "habit": 0.5 * sum(step["item_id"] == item_id for step in steps),
            "this_time": 0.25 * (len(steps) % 4) * ((j + slot) % 3),
        }
        for j, item_id in enumerate(scorer.catalogue.item_ids)
    }


def history(user_id: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    """One row of `histories`; steps name only the fields that matter."""
    full = [STEP | step for step in steps]
    return {"user_id": user_id, "event_id": [f"{user_id}-{n}" for n in range(len(full))]} | {
        field: [step[field] for step in full] for field in STEP
    }


def histories(spark, rows: list[dict[str, Any]]):
    schema = (
        "user_id string, event_id array<string>, item_id array<string>, action array<string>, "
        "occurred_at_s array<double>, slot array<int>, region array<string>, lat array<double>, lon array<double>, "
        "gap_s array<double>, distance_m array<double>"
    )
    names = [part.split()[0] for part in schema.split(", ")]
    return spark.createDataFrame([tuple(row[name] for name in names) for row in rows], schema)


def as_pandas(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows)


def with_recommend(settings, **changed):
    """The settings with the dayparts of this world, and some of the recommend settings changed."""
    return settings.model_copy(
        update={
            "night": settings.night.model_copy(update={"dayparts": DAYPARTS}),
            "recommend": settings.recommend.model_copy(update=changed),
        }
    )
