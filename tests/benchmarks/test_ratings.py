"""Reading ratings, and the leave-one-out split."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from benchmarks.ratings import read_items, read_ratings, split, tell_texts

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


@pytest.mark.parametrize("user", ["user_id", "userId", "UserID", "user", "uid", "User-Id", "USER ID"])
@pytest.mark.parametrize("item", ["item_id", "itemId", "movieId", "MovieID", "movie_id", "item", "iid", "movie"])
def test_users_and_items_are_found_whatever_case_and_punctuation(tmp_path, user, item):
    pd.DataFrame({"rating": [5, 4], item: ["x", "y"], user: ["b", "a"]}).to_csv(tmp_path / "r.csv", index=False)
    assert rows_of(read_ratings(tmp_path / "r.csv")) == [("a", "y"), ("b", "x")]


@pytest.mark.parametrize(
    "name",
    ["timestamp", "Timestamp", "time", "ts", "date", "datetime", "DateTime", "occurred_at", "rated_at",
     "unix_timestamp", "unixTimestamp", "event_time", "eventTime", "created_at"],
)  # fmt: skip
def test_times_are_found_and_what_was_taken_is_told_in_one_line(tmp_path, capsys, name):
    pd.DataFrame({"userId": [1, 1], "iid": ["x", "y"], name: [978_300_760, 978_300_019]}).to_csv(
        tmp_path / "r.csv", index=False
    )
    assert read_ratings(tmp_path / "r.csv")["item_id"].tolist() == ["y", "x"]
    times = "2000-12-31 22:00:19+00:00 to 2000-12-31 22:12:40+00:00"
    assert capsys.readouterr().out == f"r.csv: user is userId, item iid, time {name}, {times}\n"


def test_of_several_times_a_date_is_the_last_resort(tmp_path, capsys):
    row = {"user": 1, "item": 2, "date": "2000-12-31", "rated_at": "2000-12-31T22:00:19"}
    pd.DataFrame([row]).to_csv(tmp_path / "r.csv", index=False)
    assert read_ratings(tmp_path / "r.csv")["at_s"].tolist() == [978_300_019]


def test_without_a_time_the_position_in_the_file_is_taken_with_a_warning(tmp_path, capsys):
    frame([("u", "b"), ("u", "a")], ("user_id", "item_id")).to_csv(tmp_path / "r.csv", index=False)
    assert read_ratings(tmp_path / "r.csv")["at_s"].tolist() == [0, 1]
    warning, taken = capsys.readouterr().out.splitlines()
    assert warning.startswith("WARNING: r.csv has no time (columns ['user_id', 'item_id'])")
    assert taken == "r.csv: user is user_id, item item_id, time the position, 0 to 1"


@pytest.mark.parametrize("name", ["review_time", "Date of rating", "lastUpdate"])
def test_a_column_that_may_be_the_time_is_not_passed_over(tmp_path, name):
    pd.DataFrame({"user_id": [1], "item_id": [2], name: [3]}).to_csv(tmp_path / "r.csv", index=False)
    with pytest.raises(ValueError, match=rf"r\.csv: is {name} the time\? Call it as one of timestamp, "):
        read_ratings(tmp_path / "r.csv")


SECOND = 978_300_019.25  # 2000-12-31 22:00:19.25 UTC
AT = pd.Timestamp(SECOND, unit="s", tz="UTC")
TIMES = {
    "seconds": [978_300_019, 978_300_020],
    "float seconds": [SECOND, SECOND + 1],
    "seconds as text": ["978300019", "978300020.0"],
    "milliseconds": [978_300_019_250, 978_300_020_250],
    "microseconds": [978_300_019_250_000, 978_300_020_250_000],
    "nanoseconds": [978_300_019_250_000_000, 978_300_020_250_000_000],
    "float nanoseconds as text": ["9.7830001925e17", "9.7830002025e17"],
    "ISO": ["2000-12-31T22:00:19.25Z", "2000-12-31 22:00:20"],
    "ISO with offsets": ["2001-01-01T00:00:19+02:00", "2000-12-31T17:00:20.250-05:00"],
    "naive": pd.DatetimeIndex([AT, AT + pd.Timedelta(seconds=1)]).tz_localize(None),
    "zoned": pd.DatetimeIndex([AT, AT + pd.Timedelta(seconds=1)]).tz_convert("Asia/Tokyo"),
    "naive objects": [dt.datetime(2000, 12, 31, 22, 0, 19), dt.datetime(2000, 12, 31, 22, 0, 20, 250_000)],
    "categories": pd.Categorical([978_300_019, 978_300_020]),
}


@pytest.mark.parametrize("kind", TIMES)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_time_may_come_in_any_shape(tmp_path, kind, ending):
    table = pd.DataFrame({"user": [1, 1], "item": ["x", "y"], "time": TIMES[kind]})
    path = tmp_path / f"r.{ending}"
    table.to_parquet(path) if ending == "parquet" else table.to_csv(path, index=False)
    found = read_ratings(path)["at_s"].to_numpy()
    assert (abs(found - [SECOND, SECOND + 1]) <= 0.25).all()


def test_a_time_that_cannot_be_read_is_told(tmp_path):
    frame([("u", "a", "yesterday")]).to_csv(tmp_path / "r.csv", index=False)
    with pytest.raises(ValueError, match=r"times in timestamp are neither epochs nor ISO texts: .*yesterday"):
        read_ratings(tmp_path / "r.csv")


IDS = {
    "floats": ([10.0, 9.0], ["10", "9"]),
    "nullable": (pd.array([10, 9], dtype="Int64"), ["10", "9"]),
    "texts of floats": (["10.0", "9.0"], ["10", "9"]),
    "texts": (["007", "7.0"], ["007", "7.0"]),
    "categories": (pd.Categorical([10, 9]), ["10", "9"]),
}


@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_ids_are_texts_and_whole_numbers_integers(tmp_path, kind, ending):
    given, expected = IDS[kind]
    ratings, items = tmp_path / f"r.{ending}", tmp_path / f"i.{ending}"
    for path, table in (
        (ratings, pd.DataFrame({"user": given, "item": given, "ts": [1, 2]})),
        (items, pd.DataFrame({"item": given, "title": ["A", "B"]})),
    ):
        table.to_parquet(path) if ending == "parquet" else table.to_csv(path, index=False)
    rows = read_ratings(ratings).sort_values("at_s")
    assert rows["user_id"].tolist() == rows["item_id"].tolist() == expected
    assert read_items(items)["item_id"].tolist() == expected


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize("lacking", ["user_id", "item_id", "timestamp"])
@pytest.mark.parametrize("kind", ["number", "text"])
def test_rows_that_lack_who_what_or_when_are_refused_by_their_number(tmp_path, ending, lacking, kind):
    one, two = (1, 2) if kind == "number" else ("1", "2")
    table = pd.DataFrame(
        [(one, one, one), (two, two, two), (two, one, two)], columns=["user_id", "item_id", "timestamp"]
    )
    table.loc[[0, 2], lacking] = None
    path = tmp_path / f"r.{ending}"
    table.to_parquet(path) if ending == "parquet" else table.to_csv(path, index=False)
    with pytest.raises(ValueError, match="2 of 3 rows have no user_id or no item_id or no timestamp"):
        read_ratings(path)


@pytest.mark.parametrize(
    "table", [{"user": ["", "a"], "item": [1, 2], "ts": [AT, AT]}, {"user": [], "item": [], "ts": []}]
)
def test_blank_ids_and_empty_files_are_refused(tmp_path, table):
    pd.DataFrame(table).to_parquet(tmp_path / "r.parquet")
    with pytest.raises(ValueError, match=r"1 of 2 rows have no user|r\.parquet has no rows"):
        read_ratings(tmp_path / "r.parquet")


@pytest.mark.parametrize("name", ["ratings", "ratings.csv", "ratings.dat"])
def test_parquet_is_told_by_its_first_bytes(tmp_path, name):
    frame(ROWS).to_parquet(tmp_path / name)
    assert len(read_ratings(tmp_path / name)) == len(ROWS)


def test_tables_may_be_folders_compressed_indexed_or_cut_by_tabs(tmp_path):
    (tmp_path / "folder").mkdir()
    frame(ROWS[:4]).to_parquet(tmp_path / "folder" / "one.parquet")
    frame(ROWS[4:]).to_parquet(tmp_path / "folder" / "two.parquet")
    frame(ROWS).set_index("user_id").to_parquet(tmp_path / "indexed.parquet")
    frame(ROWS)[::-1][::-1].to_parquet(tmp_path / "numbered.parquet")
    frame(ROWS).to_csv(tmp_path / "r.tsv", sep="\t", index=False)
    frame(ROWS).to_csv(tmp_path / "r.tsv.gz", sep="\t", index=False)
    frame(ROWS).to_csv(tmp_path / "excel.csv", index=False, encoding="utf-8-sig")
    expected = [("ann", i) for i in "abdc"] + [("bob", "b"), ("bob", "x")]
    for name in ("folder", "indexed.parquet", "numbered.parquet", "r.tsv", "r.tsv.gz", "excel.csv"):
        assert rows_of(read_ratings(tmp_path / name)) == expected, name


def test_movielens_own_files_are_read(tmp_path, capsys):
    (tmp_path / "ratings.dat").write_text("1::10::5::978300760\n1::9::3::978300019\n2::10::4::978298413\n")
    films = ['9::Léon: "The Professional" (1994)::Crime|Drama', "10::Heat (1995)::Action"]
    (tmp_path / "movies.dat").write_bytes("\n".join(films).encode("latin-1"))
    ratings, items = read_ratings(tmp_path / "ratings.dat"), read_items(tmp_path / "movies.dat")
    assert rows_of(ratings) == [("1", "9"), ("1", "10"), ("2", "10")]
    assert items["text"].tolist() == ['Léon: "The Professional" (1994). Crime, Drama', "Heat (1995). Action"]
    assert items["category"].tolist() == ["Crime", "Action"]
    tell_texts(ratings, items)
    assert capsys.readouterr().out.splitlines() == [
        "ratings.dat: user is user, item item, time timestamp, 2000-12-31 21:33:33+00:00 to 2000-12-31 22:12:40+00:00",
        "texts for 2 of 2 items",
    ]


def test_texts_of_other_items_are_warned_about(tmp_path, capsys):
    pd.DataFrame({"item": ["tt1", "b"], "title": ["A", None]}).to_parquet(tmp_path / "items.parquet")
    tell_texts(frame([("u", "b"), ("u", "c")], ("user_id", "item_id")), read_items(tmp_path / "items.parquet"))
    told, warning = capsys.readouterr().out.splitlines()
    assert told == "texts for 0 of 2 items"
    assert warning == "WARNING: no text is used; ids are like b here and like tt1 there"


def test_a_file_without_users_is_refused_by_its_columns(tmp_path):
    pd.DataFrame({"who": [1], "item_id": [2]}).to_csv(tmp_path / "r.csv", index=False)
    with pytest.raises(ValueError, match=r"r\.csv has columns \['who', 'item_id'\], none of user_id, user, uid"):
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


CATEGORIES = {
    "texts": (["a|b", None, "c"], "A. a, b", ["a", None, "c"]),
    "categories": (pd.Categorical(["a", None, "b"]), "A. a", ["a", None, "b"]),
    "integers": ([3, 4, 5], "A. 3", ["3", "4", "5"]),
    "floats of integers": ([3.0, None, 5.0], "A. 3", ["3", None, "5"]),
    "integer categories": (pd.Categorical([3, None, 5]), "A. 3", ["3", None, "5"]),
    "lists": ([["a", "b"], [], None], "A. a, b", ["a", None, None]),
    "none": ([None, None, None], "A", [None, None, None]),
}


@pytest.mark.parametrize("kind", CATEGORIES)
def test_categories_may_come_in_any_shape(tmp_path, kind):
    given, text, category = CATEGORIES[kind]
    items = pd.DataFrame({"MovieID": [1.0, 2.0, 3.0], "Title": ["A", None, ""], "Genres": given})
    items.to_parquet(tmp_path / "items.parquet")
    found = read_items(tmp_path / "items.parquet")
    assert found["item_id"].tolist() == ["1", "2", "3"]
    assert found["text"][0] == text
    assert [None if pd.isna(value) else value for value in found["category"]] == category


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_what_is_not_told_of_an_item_is_missing(tmp_path, ending):
    table = pd.DataFrame({"item_id": ["a", "b"], "title": [None, "Tea"]})
    path = tmp_path / f"items.{ending}"
    table.to_parquet(path) if ending == "parquet" else table.to_csv(path, index=False)
    found = read_items(path)
    assert found[["title", "text", "category"]].isna().to_numpy().tolist() == [[True] * 3, [False, False, True]]


def test_items_without_an_id_are_refused(tmp_path):
    pd.DataFrame({"item_id": ["a", None], "title": ["A", "B"]}).to_csv(tmp_path / "items.csv", index=False)
    with pytest.raises(ValueError, match=r"items\.csv: 1 of 2 rows have no item_id"):
        read_items(tmp_path / "items.csv")
