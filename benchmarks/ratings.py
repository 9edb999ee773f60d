"""Ratings, or any log of who met which item in which order: reading one, and splitting it leave-one-out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from benchmarks.columns import found, letters, needed, read_table, refuse_gaps, seconds, texts, words

# Names under which a column is looked for, in this order, whatever their case and punctuation.
USER = ("user_id", "user", "uid")
ITEM = ("item_id", "movie_id", "item", "iid", "movie")
TIME = (
    "timestamp", "unix_timestamp", "time", "ts", "datetime", "occurred_at", "rated_at", "event_time", "created_at",
    "date",
)  # fmt: skip
ORDER = "order"
TITLE = ("title", "name")
CATEGORY = ("category", "categories", "genres", "genre")
# The columns of MovieLens' files that have no header.
RATINGS_DAT, ITEMS_DAT = ("user", "item", "rating", "timestamp"), ("item", "title", "genres")
LEAST_STEPS = 3  # of a user who is asked about: one to learn from, one for validation, one for test


@dataclass(frozen=True)
class Split:
    """Rows user_id, item_id (text) and at_s, each user's in time order; validation and test hold one row per user."""

    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame

    @property
    def known(self) -> pd.DataFrame:
        """What is known when the test is asked: train and validation, each user's in time order."""
        return in_order(pd.concat([self.train, self.validation]))


def read_ratings(path: Path) -> pd.DataFrame:
    """The rows of a file as user_id, item_id (text) and at_s, each user's in time order, ties by position in the file.

    at_s is the time in seconds, as `benchmarks.columns.seconds` reads it. Where no column of `TIME` is there, `order`
    stands for it, one second a step; without that too, the position in the file. What was taken is printed.

    Raises:
        ValueError: when the file has no rows, no column of users or none of items, rows that lack one of these or their
            time, a time that cannot be read, or a column that may be the time but is not known.

    """
    table = read_table(path, RATINGS_DAT)
    user, item, time = needed(table, USER, path), needed(table, ITEM, path), time_of(table, path)
    refuse_gaps(table, [user, item] if time is None else [user, item, time], path)
    rows = pd.DataFrame({"user_id": texts(table[user]), "item_id": texts(table[item]), "at_s": order_s(table, time)})
    first, last = (moment(at_s, time) for at_s in (rows["at_s"].min(), rows["at_s"].max()))
    print(f"{path.name}: user is {user}, item {item}, time {time or 'the position'}, {first} to {last}", flush=True)
    return in_order(rows)


def time_of(table: pd.DataFrame, path: Path) -> str | None:
    """The column that tells the time, or the order; None, and a warning, where the position in the file has to.

    Raises:
        ValueError: when there is none, but one whose name speaks of time or date.

    """
    name = found(table, (*TIME, ORDER))
    if name is not None:
        return name
    unknown = [str(of) for of in table if "time" in str(of).lower() or "date" in str(of).lower()]
    if unknown:
        raise ValueError(f"{path.name}: is {' or '.join(unknown)} the time? Call it as one of {', '.join(TIME)}")
    print(f"WARNING: {path.name} has no time (columns {list(table)}): events are taken in the order of the file")
    return None


def order_s(table: pd.DataFrame, time: str | None) -> pd.Series:
    """When each row happened, as `read_ratings` says it, by the column that `time_of` found."""
    if time is None:
        return pd.Series(range(len(table)), index=table.index, dtype="float64")
    return pd.to_numeric(table[time]).astype("float64") if letters(time) == ORDER else seconds(table[time])


def moment(at_s: float, time: str | None) -> str:
    """A time as it is printed; a mere number where only the order is known."""
    if time is None or letters(time) == ORDER:
        return f"{at_s:.0f}"
    return dt.datetime.fromtimestamp(at_s, dt.UTC).isoformat(" ", "seconds")


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows user by user, each user's in time order, ties as they stand."""
    return rows.sort_values(["user_id", "at_s"], kind="stable", ignore_index=True)


def split(ratings: pd.DataFrame) -> Split:
    """The last row of each user for the test, the one before for validation, the others to learn from.

    All rows of a user with fewer than `LEAST_STEPS` are learned from, and nothing is asked about them.

    >>> rows = [("u", item, second) for second, item in enumerate("abcd")] + [("v", "a", 0), ("v", "d", 1)]
    >>> parts = split(pd.DataFrame(rows, columns=["user_id", "item_id", "at_s"]))
    >>> [part["item_id"].tolist() for part in (parts.train, parts.validation, parts.test)]
    [['a', 'b', 'a', 'd'], ['c'], ['d']]
    """
    of_user = ratings.groupby("user_id", sort=False)["item_id"]
    left = of_user.cumcount(ascending=False)  # rows of the user after this one
    enough = of_user.transform("size") >= LEAST_STEPS
    last, before = enough & (left == 0), enough & (left == 1)
    return Split(*(ratings[part].reset_index(drop=True) for part in (~last & ~before, before, last)))


def read_items(path: Path) -> pd.DataFrame:
    """The items of a file as item_id, title, text and category; the category is the first of several between bars.

    Of several rows of an item the first describes it. The text is the column `text`, or the title followed by the
    categories, as in conf/sources/movielens.yaml. What is not told is missing.

    Raises:
        ValueError: when the file has no rows, no column of items, or rows that lack it.

    """
    table = read_table(path, ITEMS_DAT)
    item = needed(table, ITEM, path)
    refuse_gaps(table, [item], path)
    title, category = words(table, TITLE), words(table, CATEGORY)
    category = category.where(category != "(no genres listed)")
    told = title.fillna("") + ". " + category.fillna("").str.replace("|", ", ", regex=False)
    text = words(table, ["text"]) if found(table, ["text"]) else told.str.strip(". ")
    rows = {"item_id": texts(table[item]), "title": title, "text": text.where(text != "")}
    return pd.DataFrame({**rows, "category": category.str.split("|").str[0]}).drop_duplicates("item_id")


def tell_texts(ratings: pd.DataFrame, items: pd.DataFrame) -> None:
    """Print for how many items of the ratings there is a text; that there is none at all may be another kind of id."""
    rated = pd.Index(ratings["item_id"].unique())
    n = int(rated.isin(items.loc[items["text"].notna(), "item_id"]).sum())
    print(f"texts for {n:,} of {len(rated):,} items", flush=True)
    if n == 0:
        print(f"WARNING: no text is used; ids are like {rated[0]} here and like {items['item_id'].iloc[0]} there")
