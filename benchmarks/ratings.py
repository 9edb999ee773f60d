"""Ratings, or any log of who met which item in which order: reading one, and splitting it leave-one-out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

# Names under which a column is looked for, in this order.
USER = ("user_id", "userId", "user")
ITEM = ("item_id", "itemId", "movieId", "movie_id", "item")
TIME = ("timestamp", "time", "occurred_at")
TITLE = ("title", "name")
CATEGORY = ("category", "genres")
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


def read_table(path: Path) -> pd.DataFrame:
    """A Parquet file, or one in CSV with a header."""
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)


def read_ratings(path: Path) -> pd.DataFrame:
    """The rows of a file as user_id, item_id (text) and at_s, each user's in time order, ties by position in the file.

    at_s is the time in seconds: epoch seconds as they come, datetimes as epoch seconds. Where no column of `TIME` is
    there, `order` stands for it, one second a step; without that too, the position in the file.

    Raises:
        ValueError: when the file has no column of users, or none of items.

    """
    table = read_table(path)
    found = {"user_id": ids(table, USER, path), "item_id": ids(table, ITEM, path), "at_s": seconds(table)}
    return in_order(pd.DataFrame(found))


def ids(table: pd.DataFrame, names: tuple[str, ...], path: Path) -> pd.Series:
    """The first column of these names, as text.

    Raises:
        ValueError: when there is none.

    """
    name = next((name for name in names if name in table), None)
    if name is None:
        raise ValueError(f"{path.name} has columns {list(table)}, none of {', '.join(names)}")
    return table[name].astype(str)


def seconds(table: pd.DataFrame) -> pd.Series:
    """The order of the rows, as `read_ratings` says it."""
    name = next((name for name in (*TIME, "order") if name in table), None)
    if name is None:
        return pd.Series(range(len(table)), index=table.index, dtype="float64")
    if pd.api.types.is_numeric_dtype(table[name]):
        return table[name].astype("float64")
    return (pd.to_datetime(table[name], utc=True) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)


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
    categories, as in conf/sources/movielens.yaml.

    Raises:
        ValueError: when the file has no column of items.

    """
    table = read_table(path)
    title, category = (
        next((table[name] for name in names if name in table), pd.Series(None, index=table.index, dtype=object))
        for names in (TITLE, CATEGORY)
    )
    category = category.where(category != "(no genres listed)")
    told = title.fillna("") + ". " + category.fillna("").str.replace("|", ", ", regex=False)
    text = table["text"] if "text" in table else told.str.strip(". ")
    first = category.str.split("|").str[0]
    found = {"item_id": ids(table, ITEM, path), "title": title, "text": text, "category": first}
    return pd.DataFrame(found).drop_duplicates("item_id")
