from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from chronotope.world.chance import constant, cumulated, entry, pick, pick_from, uniform, whole
from tests.oracles import world as oracle


def numbers(spark, n, *columns):
    return np.array(spark.range(n).select(*columns).collect()).T


def test_uniform_numbers_are_uniform_and_names_independent(spark):
    left, right = numbers(spark, 20_000, uniform(7, "left", "id"), uniform(7, "right", "id"))
    assert 0 <= left.min() < left.max() < 1
    # Four standard errors: sqrt(1/12/n) of the mean, sqrt(1/180/n) of the variance, sqrt(1/n) of the correlation.
    assert left.mean() == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / 20_000))
    assert left.var() == pytest.approx(1 / 12, abs=4 * np.sqrt(1 / 180 / 20_000))
    assert abs(np.corrcoef(left, right)[0, 1]) < 4 / np.sqrt(20_000)


def test_neighbouring_keys_are_independent(spark):
    (drawn,) = numbers(spark, 20_000, uniform(7, "name", "id"))
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 4 / np.sqrt(20_000)


def test_the_type_of_a_key_does_not_matter(spark):
    wide, narrow = numbers(spark, 50, uniform(7, "n", "id"), uniform(7, "n", F.col("id").cast("int")))
    assert (wide == narrow).all()


def test_seed_name_and_each_key_matter(spark):
    ways = [uniform(7, "n", "id"), uniform(8, "n", "id"), uniform(7, "m", "id"), uniform(7, "n", "id", F.lit(0))]
    drawn = numbers(spark, 1, *ways)
    assert len(set(drawn[:, 0])) == len(ways)


def test_whole_covers_its_range_and_no_more(spark):
    (drawn,) = numbers(spark, 2_000, whole(uniform(7, "n", "id"), 5))
    assert set(drawn) == {0, 1, 2, 3, 4}


@settings(max_examples=8)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=6).filter(any),
    st.lists(st.floats(0, 0.999), min_size=1, max_size=9),
)
def test_pick_is_the_inverse_of_the_cumulated_shares(spark, weights, chances):
    frame = spark.createDataFrame([(chance,) for chance in chances], "chance double")
    both = frame.select(pick(F.col("chance"), weights), pick_from(F.col("chance"), constant([*cumulated(weights)])))
    expected = [oracle.pick(chance, weights) for chance in chances]
    assert [tuple(row) for row in both.collect()] == [(number, number) for number in expected]


def test_pick_never_draws_a_weight_of_nought(spark):
    (drawn,) = numbers(spark, 3_000, pick(uniform(7, "n", "id"), [0, 2, 0, 1, 0]))
    assert set(drawn) == {1, 3}
    assert (drawn == 1).mean() == pytest.approx(2 / 3, abs=0.04)


def test_entries_of_every_type(spark):
    row = spark.range(1).select(
        entry(["a'b", "c\\d"], F.lit(0)), entry(["a'b", "c\\d"], F.lit(1)), entry([0.1, 2.0], F.lit(1)),
        entry([True, False], F.lit(1)), entry([[1, 2], [3]], F.lit(1)), entry(["上海"], F.lit(0)),
    ).first()  # fmt: skip
    assert tuple(row) == ("a'b", "c\\d", 2.0, False, [3], "上海")


def test_there_is_no_entry_for_a_null_index(spark):
    index = F.when(F.col("id") != 1, F.col("id"))
    rows = spark.range(3).select(entry(["a", "b", "c"], index).alias("entry")).collect()
    assert [row.entry for row in rows] == ["a", None, "c"]
