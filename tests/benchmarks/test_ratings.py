"""Reading ratings, and the leave-one-out split."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.ratings import read_items, read_ratings, split

# Two users mixed; ann rates c and d in the same second, and in the file d stands first.
ROWS = [("ann", "b", 7), ("bob", "x", 3), ("ann", "d", 9), ("ann", "c", 9), ("ann", "a", 5), ("bob", "b", 1)]


def frame(rows, columns=("user_id", "item_id", "timestamp")):
    return pd.DataFrame(rows, columns=list(columns))


def rows_of(part):
    return list(part[["user_id", "item_id"]].itertuples(index=False, name=None))


@pytest.fixture(params=["parquet", "csv"])
def ratings(request, tmp_path):
    path = tmp_path / f"ratings.{request.param}"
    write = frame(ROWS).to_parquet if request.param == "parquet" else frame(ROWS).to_csv
    write(path, index=False)
    return read_ratings(path)


def test_rows_come_user_by_user_in_time_with_ties_by_position(ratings):
    assert rows_of(ratings) == [("ann", i) for i in "abdc"] + [("bob", "b"), ("bob", "x")]
    assert ratings["at_s"].tolist() == [5, 7, 9, 9, 1, 3]


def test_the_last_is_the_test_and_the_one_before_validation(ratings):
    parts = split(ratings)
    assert rows_of(parts.test) == [("ann", "c")]
    assert rows_of(parts.validation) == [("ann", "d")]
    assert rows_of(parts.train) == [("ann", "a"), ("ann", "b"), ("bob", "b"), ("bob", "x")]  # bob has two: never asked
    assert rows_of(parts.known) == [("ann", i) for i in "abd"] + [("bob", "b"), ("bob", "x")]


def test_every_row_is_in_one_part():
    rows = [(f"u{u}", f"i{n}", 10 * n % 7) for u in range(5) for n in range(u + 1)]
    ratings = frame(rows, ("user_id", "item_id", "at_s")).sort_values(["user_id", "at_s"], kind="stable")
    parts = split(ratings)
    together = [row for part in (parts.train, parts.validation, parts.test) for row in rows_of(part)]
    assert sorted(together) == sorted((user, item) for user, item, _ in rows)
    by_user = {f"u{u}": [r for r in rows_of(ratings) if r[0] == f"u{u}"] for u in range(5)}
    assert rows_of(parts.test) == [of[-1] for of in by_user.values() if len(of) >= 3]
    assert rows_of(parts.validation) == [of[-2] for of in by_user.values() if len(of) >= 3]


@pytest.mark.parametrize(
    ("order", "at_s"),
    [
        ({"movieId": [1, 2], "timestamp": [60.5, 3.0]}, [3.0, 60.5]),
        ({"movieId": [1, 2], "order": [4, 2]}, [2.0, 4.0]),
        ({"movieId": [1, 2]}, [0.0, 1.0]),
        ({"movieId": [1, 2], "time": pd.to_datetime(["1970-01-01T00:01:00Z", "1970-01-01T00:00:02Z"])}, [2.0, 60.0]),
    ],
)
def test_the_order_is_found_under_other_names(tmp_path, order, at_s):
    pd.DataFrame({"userId": [8, 8], **order}).to_parquet(tmp_path / "r.parquet")
    found = read_ratings(tmp_path / "r.parquet")
    assert found["at_s"].tolist() == at_s
    assert set(found["user_id"]) == {"8"}


def test_a_file_without_users_is_refused_by_its_columns(tmp_path):
    pd.DataFrame({"who": [1], "item_id": [2]}).to_csv(tmp_path / "r.csv", index=False)
    with pytest.raises(ValueError, match=r"r\.csv has columns \['who', 'item_id'\], none of user_id, userId, user"):
        read_ratings(tmp_path / "r.csv")


def test_items_have_a_text_of_title_and_categories_and_the_first_category(tmp_path):
    films = [(1, "Heat (1995)", "Action|Crime"), (2, "Odd", "(no genres listed)")]
    frame(films, ("movieId", "title", "genres")).to_parquet(tmp_path / "movies.parquet")
    found = read_items(tmp_path / "movies.parquet")
    assert found["text"].tolist() == ["Heat (1995). Action, Crime", "Odd"]
    assert found["category"].tolist()[0] == "Action"
    assert found["category"].isna().tolist() == [False, True]
    assert found["item_id"].tolist() == ["1", "2"]


def test_an_own_text_is_taken_as_it_is(tmp_path):
    pd.DataFrame({"item_id": ["a"], "text": ["green tea"]}).to_csv(tmp_path / "items.csv", index=False)
    found = read_items(tmp_path / "items.csv")
    assert found["text"].tolist() == ["green tea"]
    assert found["category"].isna().all()
