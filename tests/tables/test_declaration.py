"""The contract of a table: every difference between a frame and its declaration is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from chronotope.errors import SchemaError
from chronotope.tables import TABLES, Column, Table
from chronotope.tables.declaration import parse_type, split_top
from tests.rows import frame

ATOMS = ("string", "int", "bigint", "double", "float", "boolean", "date", "timestamp")
SMALL = Table(
    name="small",
    purpose="For tests.",
    grain="one row per name",
    key=("name",),
    current="all",
    columns=(Column("name", "string", "who"), Column("n", "bigint", "how many")),
)
EVENTS = TABLES["events"]


def type_texts():
    names = st.sampled_from(["a", "b_1", "term", "weight"])
    return st.recursive(
        st.sampled_from(ATOMS),
        lambda inner: st.one_of(
            inner.map(lambda of: f"array<{of}>"),
            st.tuples(st.sampled_from(ATOMS), inner).map(lambda kv: f"map<{kv[0]},{kv[1]}>"),
            st.dictionaries(names, inner, min_size=1, max_size=3).map(
                lambda fields: "struct<" + ",".join(f"{name}:{of}" for name, of in fields.items()) + ">"
            ),
        ),
        max_leaves=6,
    )


@given(type_texts())
def test_a_type_text_is_read_as_spark_writes_it(text):
    assert parse_type(text).simpleString() == text


@given(st.lists(type_texts(), min_size=1, max_size=4))
def test_splitting_undoes_joining(texts):
    assert split_top(",".join(texts)) == texts


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_the_schema_is_what_spark_reads_from_the_same_text(spark, table):
    ddl = ", ".join(f"`{c.name}` {c.type}" for c in table.columns)
    assert spark.createDataFrame([], ddl).schema == table.schema()


def test_a_frame_as_declared_passes_in_any_column_order(spark):
    df = spark.createDataFrame([(1, "x")], "n bigint, name string")
    assert SMALL.faults(df) == []
    assert SMALL.conform(df).columns == ["name", "n"]
    assert SMALL.conform(df).collect() == [("x", 1)]


@pytest.fixture(scope="module")
def events(_spark_session):
    return frame(_spark_session, "events", [{}])


@pytest.mark.parametrize("column", EVENTS.columns, ids=lambda column: column.name)
def test_each_column_dropped_renamed_or_retyped_is_named(events, column):
    retyped = "string" if column.type != "string" else "int"
    changed = events.withColumn(column.name, F.lit(None).cast(retyped))
    assert EVENTS.faults(events.drop(column.name)) == [f"column {column.name} ({column.type}) is missing"]
    assert EVENTS.faults(events.withColumnRenamed(column.name, "other")) == [
        f"column {column.name} ({column.type}) is missing",
        "column other is not declared",
    ]
    assert EVENTS.faults(changed) == [f"column {column.name} is {retyped}, declared {column.type}"]


def test_every_fault_is_told_at_once(spark):
    df = spark.createDataFrame([(1.5, "x")], "n double, extra string")
    with pytest.raises(SchemaError) as caught:
        SMALL.conform(df)
    assert str(caught.value) == (
        "table small: column name (string) is missing; column extra is not declared; "
        "column n is double, declared bigint"
    )  # fmt: skip


def test_a_nested_type_that_differs_deep_down_is_named(spark):
    interests = TABLES["interests"]
    df = frame(spark, "interests", []).withColumn("terms", F.lit(None).cast("array<struct<term:string,weight:float>>"))
    assert interests.faults(df) == [
        "column terms is array<struct<term:string,weight:float>>, declared array<struct<term:string,weight:double>>"
    ]


def test_nullability_is_no_fault(spark):
    df = spark.range(1).select(F.lit("x").alias("name"), F.col("id").alias("n"))
    assert [field.nullable for field in df.schema] == [False, False]
    assert SMALL.faults(df) == []
