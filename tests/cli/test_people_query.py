"""`chronotope query`: SQL that reads, and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.cli.query import check
from chronotope.errors import UsageError

FORBIDDEN = [
    "COPY items TO 'stolen.csv'",
    "copy (SELECT 1) TO 'stolen.parquet'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'stolen.csv'",
    "explain analyze verbose copy (select 1) to 'stolen.csv'",
    "EXPLAIN FORMAT indent COPY (SELECT 1) TO 'stolen.csv'",
    "DESCRIBE COPY (SELECT 1) TO 'stolen.csv'",
    "/* SELECT */ COPY (SELECT 1) TO 'stolen.csv'",
    "/* /* */ SELECT 1 */ COPY (SELECT 1) TO 'stolen.csv'",
    "EXPLAIN ANALYZE /* SELECT */ COPY (SELECT 1) TO 'stolen.csv'",
    "-- SELECT 1\rCOPY (SELECT 1) TO 'stolen.csv'",
    "CREATE VIEW v AS SELECT 1",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'stolen.csv'",
    "INSERT INTO items_history SELECT * FROM items_history",
    "UPDATE items_history SET title = ''",
    "DELETE FROM items_history",
    "DROP VIEW items",
    "TRUNCATE items_history",
    "SET datafusion.execution.batch_size = 1",
    "PREPARE p AS SELECT 1",
    "SHOW ALL",
    "selects * from items",
    "",
    "  ;",
]
REFUSED_BY_THE_ENGINE = [
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY (SELECT 1) TO 'stolen.csv'",
    "WITH a AS (SELECT 1) COPY a TO 'stolen.csv'",
    "WITH a AS (SELECT * FROM items_history) INSERT INTO items_history SELECT * FROM a",
    "WITH a AS (SELECT 1) DELETE FROM items_history",
    "SELECT * FROM (COPY (SELECT 1) TO 'stolen.csv')",
    "SELECT * FROM 'stolen.csv'",
    "SELECT nosuch FROM items",
    "SELECT CAST(title AS INT) FROM items",
    "SELECT * FROM nosuch",
    "SELECT FROM WHERE",
]


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_what_does_not_read_is_refused_before_any_table_is_opened(sql):
    with pytest.raises(UsageError, match="only reading is allowed"):
        check(sql)


@pytest.mark.parametrize("sql", [*FORBIDDEN, *REFUSED_BY_THE_ENGINE])
def test_a_refused_statement_ends_with_2_and_changes_nothing(ask, tables_dir, tmp_path, monkeypatch, sql):
    monkeypatch.chdir(tmp_path)
    before = sorted(tables_dir.rglob("*"))
    code, out, err = ask("query", sql)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []
    assert sorted(tables_dir.rglob("*")) == before


WRITING = ("COPY", "CREATE", "INSERT", "DROP", "SET", "DELETE", "ALTER")
BEFORE = ("", " ", "\n", "(", "explain ", "explain analyze ", "-- x\n", "/*", "/**/", "EXPLAIN VERBOSE (")


@given(st.sampled_from(WRITING), st.text(max_size=20), st.sampled_from(BEFORE))
def test_no_writing_word_passes_in_front(word, rest, before):
    with pytest.raises(UsageError):
        check(f"{before}{word} {rest}")


@pytest.mark.parametrize(
    "sql",
    ["select 1", "  SELECT\n1 ;", "WITH a AS (SELECT 1 AS x) SELECT x FROM a", "VALUES (1), (2)", "EXPLAIN SELECT 1",
     "explain analyze select * from items", "SHOW TABLES", "SHOW COLUMNS FROM items", "DESCRIBE items;", "desc items",
     "SELECT 'COPY x TO y' AS harmless"],
)  # fmt: skip
def test_what_reads_is_answered(ask, sql):
    code, out, err = ask("query", sql)
    assert (code, err) == (0, "")
    assert "row" in out


def test_a_table_has_its_current_rows_and_its_history_all(ask_json):
    current = ask_json("query", "SELECT item_id, title, night FROM items ORDER BY item_id")
    assert current["columns"] == ["item_id", "title", "night"]
    assert current["rows"][0] == {"item_id": "a:i1", "title": "茶馆 Tea House", "night": "2012-10-31"}
    assert len(current["rows"]) == 3
    assert len(ask_json("query", "SELECT * FROM items_history")["rows"]) == 4
    assert ask_json("query", "SELECT count(*) AS n FROM recommendations")["rows"] == [{"n": 7}]  # the latest night's
    assert ask_json("query", "SELECT count(*) AS n FROM recommendations_history")["rows"] == [{"n": 8}]


def test_an_older_night_is_queried_at_its_versions(ask_json):
    asked = ask_json("query", "SELECT title FROM items", "--night", "2012-10-30")
    assert asked["night"] == "2012-10-30"
    assert asked["rows"] == [{"title": "old title"}]


def test_every_declared_table_can_be_queried_also_when_nobody_wrote_it(ask_json):
    from chronotope.tables import TABLES

    for table in TABLES.values():
        asked = ask_json("query", f"SELECT * FROM {table.name} LIMIT 1")
        assert asked["columns"] == table.names, table.name


def test_nested_values_are_json_values(ask_json):
    (row,) = ask_json("query", "SELECT terms FROM interests WHERE user_id = 'a:u1' AND horizon = 'long'")["rows"]
    assert row == {"terms": [{"term": "tea", "weight": 0.8}, {"term": "茶", "weight": 0.6}]}
    (row,) = ask_json("query", "SELECT parts FROM recommendations WHERE user_id = 'b:u2'")["rows"]
    assert row == {"parts": {"memory": 0.75, "popular": 0.25}}
    odd = ask_json("query", "SELECT CAST('nan' AS DOUBLE) AS x, now() > now() AS b, NULL AS n")["rows"]
    assert odd == [{"x": None, "b": False, "n": None}]


def test_rows_are_limited_and_what_is_left_out_is_told(ask, ask_json):
    asked = ask_json("query", "SELECT event_id FROM events ORDER BY event_id", "--rows", "2")
    assert ([row["event_id"] for row in asked["rows"]], asked["more"]) == (["e0", "e1"], True)
    assert "the first 2 rows; --rows N shows more" in ask("query", "SELECT event_id FROM events", "--rows", "2")[1]
    assert not ask_json("query", "SELECT event_id FROM events", "--rows", "6")["more"]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a.title, b.title FROM items a JOIN items b USING (item_id)",
        "SELECT * FROM items a JOIN items b ON a.item_id = b.item_id",
    ],
)
def test_columns_that_share_a_name_are_refused_for_one_would_hide_the_other(ask, sql):
    code, _, said = ask("query", sql)
    assert code == 2
    assert re.search("several columns of the result are called .*title.*: name each with AS", said)


def test_without_rows_the_columns_are_shown(ask):
    code, out, _ = ask("query", "SELECT item_id, title FROM items WHERE false")
    assert code == 0
    assert out.split() == ["item_id", "title", "0", "rows"]
