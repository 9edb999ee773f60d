from __future__ import annotations

from chronotope.world.planted import count_arrivals, count_truth, summarise
from tests.world.sizes import sized

FIRST = sized().first_day
ROWS = [  # arrived, fate, reasons, session, user, item
    (FIRST, "none", [], "s1", "u1", "i1"),
    (FIRST, "none", [], "s1", "u1", None),
    (FIRST, "duplicate", [], "s2", "u2", "i1"),
    (FIRST + 2, "duplicate", ["duplicate"], "s2", "u2", "i1"),
    (FIRST + 2, "late", [], "s3", "u2", "i2"),
    (FIRST + 2, "two", ["bad_coordinates", "missing_user"], "s4", "u3", "i3"),
    (FIRST + 2, "bad_coordinates", ["bad_coordinates"], "s5", "u3", "i3"),
]


def arrivals(spark):
    return spark.createDataFrame(
        ROWS, "arrived int, fate string, reasons array<string>, session string, user string, item string"
    )


def test_only_what_is_taken_in_counts_as_truth(spark):
    assert count_truth(arrivals(spark)).first().asDict() == {
        "events": 4, "sessions": 3, "active_users": 2, "met_items": 2,
    }  # fmt: skip


def test_the_summary_counts_by_day_and_by_rule(spark):
    found = summarise(sized(), count_arrivals(arrivals(spark)).collect(), {"events": 4})
    days = ["2026-02-02", "2026-02-03", "2026-02-04"]
    assert found["events"] == 4
    assert found["options"]["start"] == "2026-02-02"
    assert found["records"] == dict(zip(days, [3, 0, 4], strict=True))
    assert found["accepted"] == dict(zip(days, [3, 0, 1], strict=True))
    assert found["late"] == dict(zip(days, [0, 0, 1], strict=True))
    assert found["refused"] == {
        days[0]: {}, days[1]: {},
        days[2]: {"bad_coordinates": 1, "bad_coordinates and missing_user": 1, "duplicate": 1},
    }  # fmt: skip
    assert found["reasons"] == {"bad_coordinates": 2, "duplicate": 1, "missing_user": 1}


def test_a_world_without_records(spark):
    empty = arrivals(spark).limit(0)
    assert count_truth(empty).first().events == 0
    assert set(summarise(sized(), count_arrivals(empty).collect(), {})["records"].values()) == {0}
