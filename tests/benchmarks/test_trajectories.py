"""What is dropped, what is asked, and what each information set may know; the plain twin is in tests/oracles."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.prepared import Stages
from benchmarks.trajectories import HISTORIES, SETTINGS, asked_of, known_rows, last_tenth, read_checkins, split_of
from tests.benchmarks.checkins import MONDAY, VENUES, as_published, checkin, drawn, frame
from tests.oracles.trajectories import protocol

TRAIN = [
    checkin("ann", "v1", 8, "a1"),
    checkin("ann", "v2", 9, "a1"),
    checkin("bob", "v3", 10, "b1"),
    checkin("bob", "v1", 11, "b1"),
]
PART = [
    checkin("ann", "v3", 200, "a2"),
    checkin("ann", "v9", 201, "a2"),  # no such venue in train
    checkin("ann", "v1", 202, "a2"),  # asked
    checkin("cat", "v1", 203, "c1"),  # no such user in train
    checkin("cat", "v2", 204, "c1"),
    checkin("bob", "v2", 205, "b2"),
    checkin("bob", "v9", 206, "b2"),  # drops out, so one check-in is left: nobody asks
    checkin("ann", "v2", 226, "a3"),  # Wednesday 06:00 local
    checkin("ann", "v3", 227, "a3"),
    checkin("ann", "v1", 245, "a3"),  # asked, Thursday 01:00 local
    checkin("ann", "v2", 300, "a4"),
]


def visible(split, history):
    """Per trajectory asked about, the hours of what it may know."""
    hours = (split.log["occurred_at"] - MONDAY).dt.total_seconds() / 3600
    names = split.asked["trajectory_id"]
    return {
        name: hours.iloc[rows].astype(int).tolist()
        for name, rows in zip(names, known_rows(split, history), strict=True)
    }


def test_the_protocol_on_a_log_that_can_be_read():
    split = split_of("validation", frame(TRAIN), frame(TRAIN), frame(PART))
    assert split.asked[["trajectory_id", "item_id"]].to_numpy().tolist() == [["a2", "v1"], ["a3", "v1"]]
    assert visible(split, "train") == {"a2": [8, 9, 200], "a3": [8, 9, 226, 227]}
    assert visible(split, "all") == {"a2": [8, 9, 200], "a3": [8, 9, 200, 202, 226, 227]}
    # a2 is asked on Tuesday 06:00 local, its check-in of 04:00 is of that day; a3 is asked an hour after midnight.
    assert visible(split, "night") == {"a2": [8, 9], "a3": [8, 9, 200, 202, 226, 227]}


def test_trajectories_may_be_numbered_user_by_user():
    train, part = ([{**row, "trajectory_id": int(row["trajectory_id"][1:])} for row in rows] for rows in (TRAIN, PART))
    split = split_of("validation", frame(train), frame(train), frame(part))
    named = split_of("validation", frame(TRAIN), frame(TRAIN), frame(PART))
    assert split.query.tolist() == named.query.tolist()
    for history in HISTORIES:
        known, expected = (known_rows(of, history) for of in (split, named))
        assert [rows.tolist() for rows in known] == [rows.tolist() for rows in expected]


@pytest.mark.parametrize(
    ("part", "told"),
    [([checkin("cat", "v1", 200, "c1"), checkin("cat", "v2", 201, "c1")], "0 of its 2"), (PART[5:8], "2 of its 3")],
)
def test_a_part_in_which_nothing_can_be_asked_is_refused(part, told):
    with pytest.raises(ValueError, match=f"test has 0 queries: {told} check-ins are of a user and a venue of train"):
        split_of("test", frame(TRAIN), frame(TRAIN), frame(part))


def test_what_came_before_the_part_joins_the_history():
    test = [checkin("ann", "v1", 400, "a5"), checkin("ann", "v2", 401, "a5")]
    split = split_of("test", frame(TRAIN), frame(TRAIN + PART), frame(test))
    before = [8, 9, 200, 202, 226, 227, 245, 300]
    assert visible(split, "train") == visible(split, "all") == {"a5": [*before, 400]}
    assert len(split.past) == len(TRAIN) + len(PART) - 4


@pytest.mark.parametrize("seed", range(20))
def test_any_log_is_split_as_the_plain_twin_does(seed):
    train, past = drawn(seed, 0, 4, 40), drawn(seed + 100, 130, 6, 30)
    part = drawn(seed + 200, 260, 6, 60)
    train = [row for row in train if row["item_id"] != VENUES[0]]
    expected = protocol(train, train + past, part)
    split = split_of("test", frame(train), frame(train + past), frame(part))
    assert set(split.asked["trajectory_id"]) == set(expected)
    assert len(split.query) == len(expected) > 0
    log = split.log.drop(columns="past").to_dict("records")
    for history in HISTORIES:
        for query, rows in zip(split.query, known_rows(split, history), strict=True):
            twin = expected[log[query]["trajectory_id"]]
            assert log[query] == twin["query"]
            assert [log[row] for row in rows] == twin[history]


def test_weights_are_chosen_on_the_last_tenth_of_train():
    train = frame(drawn(1, 0, 3, 205)).sort_values("occurred_at", ignore_index=True)
    held = last_tenth(train)
    assert len(held.past) == 185
    assert held.asked["occurred_at"].min() >= train["occurred_at"][185]


def test_settings_differ_in_what_is_known_and_in_nothing_else(spark, defaults, tmp_path):
    split = split_of("validation", frame(TRAIN), frame(TRAIN), frame(PART))
    asked = asked_of(split, Stages(spark, defaults, tmp_path))
    assert tuple(asked) == SETTINGS
    start = MONDAY.timestamp()
    told = {setting: ((of.at_s - start) / 3600).tolist() for setting, of in asked.items()}
    assert told["train", "known"] == told["all", "known"] == [202, 245]
    assert told["train", "unknown"] == told["all", "unknown"] == [200, 227]
    local = [(202 - 4) % 168, (245 - 4) % 168]
    slots = {setting: of.slot.tolist() for setting, of in asked.items()}
    assert slots == {setting: local if setting[1] == "known" else [-1, -1] for setting in SETTINGS}
    assert {setting[0]: of.previous_known.tolist() for setting, of in asked.items()} == {
        "train": [True, True], "all": [True, True], "night": [False, False],
    }  # fmt: skip
    for history in HISTORIES:
        known = asked[history, "known"].known
        hours = [((at_s - start) / 3600).tolist() for at_s in known["occurred_at_s"]]
        assert hours == list(visible(split, history).values())
        gaps = [np.diff(at_s).tolist() for at_s in known["occurred_at_s"]]
        assert [gap[1:].tolist() for gap in known["gap_s"]] == gaps, "measured between what is known"


def test_a_morning_list_knows_the_hour_and_not_the_minute(spark, defaults, tmp_path):
    part = [checkin("ann", "v1", 200, "a2"), checkin("ann", "v2", 202.75, "a2", offset_min=-210)]
    split = split_of("validation", frame(TRAIN), frame(TRAIN), frame(part))
    asked = asked_of(split, Stages(spark, defaults, tmp_path))
    assert asked["all", "known"].at_s[0] == MONDAY.timestamp() + 202.75 * 3600
    assert asked["night", "known"].at_s[0] == MONDAY.timestamp() + 203 * 3600, "23:15 local is in the hour around 23:30"


def test_files_are_read_in_time_order_whatever_theirs(tmp_path):
    as_published(PART[::-1]).to_parquet(tmp_path / "part.parquet")
    read = read_checkins(tmp_path / "part.parquet")
    assert read["occurred_at"].is_monotonic_increasing
    assert read["text"].tolist() == read["category"].tolist() == [row["category"] for row in PART]


@pytest.mark.parametrize("kind", ["int64", "float64"])
def test_ids_that_are_numbers_are_read_as_texts(tmp_path, kind):
    part = as_published(PART)
    codes = {name: pd.factorize(part[name])[0] for name in ("user_id", "poi_id")}
    part.assign(**codes).astype(dict.fromkeys(codes, kind)).to_parquet(tmp_path / "part.parquet")
    read = read_checkins(tmp_path / "part.parquet")
    assert read["user_id"].tolist() == [str(code) for code in codes["user_id"]]
    assert read["item_id"].tolist() == [str(code) for code in codes["poi_id"]]


@pytest.mark.parametrize(
    "written",
    [
        lambda at: at.dt.tz_localize(None),
        lambda at: at.dt.tz_convert("America/New_York"),
        lambda at: at.dt.tz_convert("America/New_York").map(lambda moment: moment.isoformat()),
        lambda at: at.dt.strftime("%Y-%m-%d %H:%M:%S"),
    ],
)
def test_times_of_any_kind_are_read_in_utc(tmp_path, written):
    part = as_published(PART).drop(columns="category_id")
    part.assign(utc_time=written(part["utc_time"])).to_parquet(tmp_path / "part.parquet")
    read = read_checkins(tmp_path / "part.parquet")
    assert read["occurred_at"].tolist() == [row["occurred_at"] for row in PART]
    train = frame(TRAIN).astype({"occurred_at": "datetime64[us, UTC]"})
    assert len(split_of("validation", train, train, read).query) == 2


def test_checkins_without_a_user_are_refused(tmp_path):
    part = as_published(PART)
    part.loc[:2, "user_id"] = None
    part.to_parquet(tmp_path / "part.parquet")
    with pytest.raises(ValueError, match=r"part\.parquet: 3 of 11 rows have no user_id or no poi_id or no utc_time"):
        read_checkins(tmp_path / "part.parquet")


def test_the_real_file_has_the_published_number_of_queries(real_data):
    train, validation = (read_checkins(real_data / "next_place_nyc" / f"{n}.parquet") for n in ("train", "validation"))
    split = split_of("validation", train, train, validation)
    assert len(split.query) == 1468
    assert train["item_id"].nunique() == 4981
    for history in ("train", "all"):
        assert [rows[-1] for rows in known_rows(split, history)] == split.previous.tolist()
