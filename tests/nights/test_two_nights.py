"""What two nights over a world with known faults and interests must have published."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date

import pytest

from chronotope.flow import STAGES
from chronotope.store.snapshot import open_snapshot, snapshots
from chronotope.store.sql import select
from chronotope.tables import TABLES
from tests.nights.conftest import LAST


def rows(nights, sql):
    return select(open_snapshot(nights.tables), sql).rows


def test_every_table_of_the_flow_is_published_for_both_nights(nights):
    assert [snapshot.night for snapshot in snapshots(nights.tables)] == [date(2026, 3, 2), date(2026, 3, 3)]
    assert set(open_snapshot(nights.tables).versions) == set(TABLES) - {"runs"}
    stages = rows(nights, f"SELECT stage FROM runs WHERE night = DATE '{LAST}'")
    assert {row["stage"] for row in stages} == {*STAGES, "night"}


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"runs"}))
def test_keys_are_unique(nights, name):
    key = ", ".join(TABLES[name].key)
    assert rows(nights, f"SELECT {key} FROM {name} GROUP BY {key} HAVING count(*) > 1 LIMIT 1") == []


def test_what_was_planted_as_broken_is_refused_for_the_planted_reasons(nights):
    planted = json.loads((nights.world / "truth" / "planted.json").read_text(encoding="utf-8"))
    refused = Counter(
        {row["reason"]: row["n"] for row in rows(
            nights, "SELECT reason, count(*) AS n FROM (SELECT unnest(reasons) AS reason FROM rejects) GROUP BY reason"
        )}
    )  # fmt: skip
    assert refused == Counter(planted["reasons"])
    assert rows(nights, "SELECT count(*) AS n FROM events") == [{"n": planted["events"]}]


def test_every_user_and_anybody_has_lists_whose_parts_are_the_score(nights):
    users = {row["user_id"] for row in rows(nights, "SELECT DISTINCT user_id FROM events WHERE item_id IS NOT NULL")}
    lists = rows(nights, "SELECT user_id, rank, score, parts, reason FROM recommendations")
    assert {row["user_id"] for row in lists} == {*users, "*"}
    assert all(row["reason"] for row in lists)
    assert all(abs(sum(dict(row["parts"]).values()) - row["score"]) < 1e-5 for row in lists)


def test_the_published_model_finds_the_planted_interests(nights):
    model = open_snapshot(nights.tables).run["model"]
    found = rows(nights, "SELECT model, value FROM evaluations "
                         f"WHERE night = DATE '{LAST}' AND metric = 'mrr' AND slice = 'all' "
                         "AND protocol = 'tail_morning'")  # fmt: skip
    mrr = {row["model"]: row["value"] for row in found}
    assert {"popularity", "user_frequency", "last_item", "markov"} < set(mrr)
    assert mrr[model] > 2 * mrr["popularity"]


def test_last_nights_lists_met_the_day(nights):
    feedback = rows(nights, "SELECT shown_night, shown FROM feedback")
    assert feedback
    assert {row["shown_night"] for row in feedback} == {date(2026, 3, 2)} or {
        str(row["shown_night"]) for row in feedback
    } == {"2026-03-02"}


def test_the_same_night_again_publishes_the_same_lists(nights):
    asked = "SELECT user_id, daypart, region, rank, item_id FROM recommendations ORDER BY 1, 2, 3, 4"
    before = rows(nights, asked)
    again = nights.run(LAST, "--from", "infer")
    assert again.returncode == 0, again.stdout + again.stderr
    assert rows(nights, asked) == before


def test_logs_show_no_user(nights):
    users = {row["user_id"] for row in rows(nights, "SELECT DISTINCT user_id FROM events")}
    output = nights.run(LAST, job="recommend").stdout
    assert not [user for user in users if user in output]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--set", "sessions.gap=3"], "gap_s"),
        (["--set", "train.epochs=many"], "train.epochs"),
        (["--date", "2026-01-01"], "2026-01-01"),
    ],
)
def test_a_mistake_ends_with_2_and_says_what_to_change(nights, options, said):
    ended = nights.run(LAST, *options)
    assert ended.returncode == 2
    assert said in ended.stderr


def test_a_missing_input_is_found_before_spark_starts(nights, tmp_path):
    nowhere = type(nights)(tmp_path / "nothing", tmp_path / "tables")
    ended = nowhere.run(LAST)
    assert ended.returncode == 2
    assert "there is no folder" in ended.stderr
    assert "SLF4J" not in ended.stderr
