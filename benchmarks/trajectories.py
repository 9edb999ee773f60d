"""The protocol of the next-place benchmark: what is dropped, what is asked, and what may be known of it.

Check-ins whose user or venue does not occur in train are dropped first. A query is then the last check-in of each
trajectory that still has two or more; trajectories may be numbered user by user. Time is the order of check-ins; ties
are broken by the position in the file.

What may be known of a query's past, its `history`:

- `train`: the user's check-ins of the past (train; for the test part, train and validation), and the earlier ones of
  the query's own trajectory;
- `all`: every check-in up to and with the one before the query in its trajectory;
- `night`: every check-in before the last local midnight before the query; that a check-in came in between is not told.

What all users did is known to the end of the past with `train`. With `all` it is known to the last midnight (UTC)
before the check-in before the query, if that is later: as if every night were one that counts anew. With `night` it is
known to the last midnight (UTC) before the query's local midnight. And what may be known of the query's time, its
`slot`: `known` is its own moment and hour of the week (`night`: the hour, but not the minute), `unknown` is only that
it comes after the check-in before it, so that one's moment stands for it.

Letters: Q queries, P pairs of a query and a known check-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.asked import Asked
from benchmarks.columns import moments, refuse_gaps, texts
from benchmarks.prepared import Stages
from chronotope.train.scoring import Doubles, Ints

HISTORIES = ("train", "all", "night")
SETTINGS = (("train", "unknown"), ("train", "known"), ("all", "unknown"), ("all", "known"), ("night", "known"))
DAY_S, HOUR_S = 86_400, 3600


@dataclass(frozen=True)
class Split:
    """A part of the log whose trajectories are asked about, after the past that came before it."""

    name: str
    log: pd.DataFrame  # the check-ins of the past and of the part, in time order, as a plain frame; `past`: bool
    query: Ints  # [Q] rows of `log`
    previous: Ints  # [Q] rows of the check-ins before them in their trajectories

    @property
    def past(self) -> pd.DataFrame:
        """What came before the part."""
        return self.log[self.log["past"]]

    @property
    def asked(self) -> pd.DataFrame:
        """The check-ins asked about, [Q] rows."""
        return self.log.iloc[self.query]


def read_checkins(path: Path) -> pd.DataFrame:
    """A file of check-ins as a plain frame with trajectory_id, in time order.

    The files name no venues: their category is all the text that there is. Times without a zone are UTC.

    Raises:
        ValueError: when the file has no rows, or some that lack a user, a venue, a time or a trajectory, or a time that
            cannot be read.

    """
    rows = pd.read_parquet(path)
    refuse_gaps(rows, ["user_id", "poi_id", "utc_time", "trajectory_id"], path)
    # The product's ids are texts, and so must be those that answers are compared with.
    ids = {name: texts(rows[name]) for name in ("user_id", "poi_id")}
    rows = rows.assign(**ids, utc_time=moments(rows["utc_time"])).drop(columns="category_id", errors="ignore")
    names = {"poi_id": "item_id", "utc_time": "occurred_at", "category_name": "category"}
    return in_time(rows.rename(columns=names).assign(action="checkin", text=rows["category_name"]))


def in_time(plain: pd.DataFrame) -> pd.DataFrame:
    """The rows in time order, ties in the order given."""
    return plain.sort_values("occurred_at", kind="stable", ignore_index=True)


def split_of(name: str, train: pd.DataFrame, past: pd.DataFrame, part: pd.DataFrame) -> Split:
    """The queries of a part of the log.

    Args:
        name: of the part.
        train: whose users and venues are the only ones that exist.
        past: what came before the part, train included.
        part: the check-ins asked about.

    Raises:
        ValueError: when nothing can be asked.

    """
    log = in_time(pd.concat([past.assign(past=True), part.assign(past=False)], ignore_index=True))
    log = log[log["user_id"].isin(train["user_id"]) & log["item_id"].isin(train["item_id"])].reset_index(drop=True)
    of_part = log[~log["past"]]
    row = pd.Series(of_part.index, index=of_part.index)
    trajectory = row.groupby([of_part["user_id"], of_part["trajectory_id"]])  # ids may be numbers within a user
    last = of_part.index[trajectory.cumcount(ascending=False) == 0]
    previous = trajectory.shift().loc[last].dropna().astype(np.int64)
    if previous.empty:
        raise ValueError(
            f"{name} has 0 queries: {len(of_part)} of its {len(part)} check-ins are of a user and a venue of train, "
            "and no trajectory has two of them"
        )
    return Split(name, log, previous.index.to_numpy(np.int64), previous.to_numpy())


def last_tenth(train: pd.DataFrame) -> Split:
    """The last tenth of train asked about as if the rest were train: what settings and weights are chosen on."""
    first = len(train) - len(train) // 10
    return split_of("last_tenth", train[:first], train[:first], train[first:])


def known_rows(split: Split, history: str) -> list[Ints]:
    """The rows of the log that each query may know of its user, in time order: Q arrays."""
    log = split.log
    of_user = log.groupby("user_id").indices
    past, at_s = log["past"].to_numpy(), seconds(log)
    trajectory, user = log["trajectory_id"].to_numpy(), log["user_id"].to_numpy()
    midnight_s = midnights_s(split.asked)
    known = []
    for number, (query, previous) in enumerate(zip(split.query, split.previous, strict=True)):
        own = of_user[user[query]]
        if history == "night":
            known.append(own[at_s[own] < midnight_s[number]])
            continue
        own = own[own <= previous]
        known.append(own if history == "all" else own[past[own] | (trajectory[own] == trajectory[query])])
    return known


def counted_to_s(split: Split, history: str) -> Doubles:
    """The moment before which each query knows what everybody did, [Q] epoch seconds."""
    at_s, past_s = seconds(split.log), end_of_past_s(split)
    if history == "train":
        return np.full(len(split.query), past_s)
    if history == "night":
        return utc_midnights_s(midnights_s(split.asked))
    return np.maximum(utc_midnights_s(at_s[split.previous]), past_s)


def end_of_past_s(split: Split) -> float:
    """The second after the last check-in of the past, epoch seconds."""
    return float(seconds(split.past).max()) + 1


def utc_midnights_s(at_s: Doubles) -> Doubles:
    """The last midnight in UTC at or before each moment, epoch seconds."""
    return np.floor(at_s / DAY_S) * DAY_S


def asked_of(split: Split, stages: Stages) -> dict[tuple[str, str], Asked]:
    """The queries under each of `SETTINGS`, (history, slot): they differ in what they know and in nothing else."""
    rows = [known for history in HISTORIES for known in known_rows(split, history)]
    number = np.repeat(np.arange(len(rows)), [len(known) for known in rows])
    histories = stages.known(split.log, number, np.concatenate(rows), len(rows))
    slot = stages.events(split.asked).orderBy("event_id").select("slot").toPandas()["slot"].to_numpy(np.int64)
    n = len(split.query)
    found = {}
    for place, history in enumerate(HISTORIES):
        night = history == "night"
        known = histories.iloc[place * n : (place + 1) * n].reset_index(drop=True)
        at_s = hours_s(split.asked) if night else seconds(split.asked)
        asked = Asked(known, at_s, slot, np.full(n, not night))
        found[history, "known"] = asked
        found[history, "unknown"] = asked.without_time()
    return {setting: found[setting] for setting in SETTINGS}


def seconds(log: pd.DataFrame) -> Doubles:
    """Epoch seconds of the check-ins."""
    return log["occurred_at"].dt.as_unit("us").astype("int64").to_numpy() / 1e6


def midnights_s(log: pd.DataFrame) -> Doubles:
    """The last local midnight at or before each check-in, epoch seconds."""
    return local_floor_s(log, DAY_S)


def hours_s(log: pd.DataFrame) -> Doubles:
    """The middle of the local hour of each check-in, epoch seconds."""
    return local_floor_s(log, HOUR_S) + HOUR_S / 2


def local_floor_s(log: pd.DataFrame, unit_s: int) -> Doubles:
    """The last whole unit of the local clock at or before each check-in, epoch seconds.

    The clock is the check-in's own: a change of the clock between midnight and the check-in moves midnight by an hour.
    """
    offset_s = log["utc_offset_min"].to_numpy(np.float64) * 60
    return np.floor((seconds(log) + offset_s) / unit_s) * unit_s - offset_s
