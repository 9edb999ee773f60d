"""Table interests: against the oracle, and its limits."""

import datetime as dt
import random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.interest import interests
from chronotope.interest.vectors import TOP, Idf, as_weights, rounded, with_ages
from chronotope.tables import TABLES
from tests.examples import few
from tests.interest.conftest import END
from tests.oracles import interest as oracle
from tests.rows import NIGHT, frame

VOCABULARY = ["red", "hat", "shoes", "咖啡", "zoë"]


def night_before(days):
    return NIGHT - dt.timedelta(days)


def sums_row(user="s:u1", days_ago=0, **weights):
    terms, pairs = zip(*sorted(weights.items()), strict=True)
    long, short = ([float(weight) for weight in of_horizon] for of_horizon in zip(*pairs, strict=True))
    return {
        "user_id": user, "night": night_before(days_ago), "terms": " ".join(terms), "long": long, "short": short,
    }  # fmt: skip


def idf_rows(idf, n_documents=10, version="2012-10-29"):
    return [
        {"term": term, "document_frequency": 1, "idf": value, "n_documents": n_documents, "version": version}
        for term, value in idf.items()
    ]


def vectors(spark, rows, settings, idf=None, partitions=None, single=False, **counted):
    sums = frame(spark, "term_sums", rows)
    sums = sums.repartition(partitions) if partitions else sums
    terms = frame(spark, "terms", idf_rows({} if idf is None else idf, **counted))
    found = interests(sums, terms, settings, NIGHT, single).collect()
    return {(row.user_id, row.horizon): [(entry.term, entry.weight) for entry in row.terms] for row in found}


def random_rows(seed, users=3, nights=3):
    rng = random.Random(seed)
    return [
        sums_row(
            f"s:u{user}",
            days_ago,
            **{term: (rng.random(), rng.random()) for term in rng.sample(VOCABULARY, rng.randint(1, 4))},
        )
        for user in range(users)
        for days_ago in rng.sample(range(60), nights)
    ]


def by_oracle(rows, settings, idf, unseen, max_terms=None):
    half_lives = (
        ("long", settings.interest.half_life_long_days),
        ("short", settings.interest.half_life_short_days),
    )
    found = {}
    for user in {row["user_id"] for row in rows}:
        for horizon, days in half_lives:
            sums = {}
            for row in rows:
                pairs = zip(row["terms"].split(" "), row[horizon], strict=True) if row["user_id"] == user else ()
                for term, weight in pairs:
                    sums[term] = sums.get(term, 0.0) + weight * 2 ** (-(NIGHT - row["night"]).days / days)
            found[user, horizon] = oracle.vector(sums, {t: (1, v) for t, v in idf.items()}, unseen, max_terms)
    return found


def approx(found):
    return {key: [(term, pytest.approx(weight, rel=1e-6)) for term, weight in terms] for key, terms in found.items()}


def test_columns_and_one_visible_row(spark, defaults):
    sums = frame(spark, "term_sums", [sums_row(red=(3, 0), hat=(4, 1))])
    found = interests(sums, frame(spark, "terms", idf_rows({"red": 1.0, "hat": 1.0})), defaults, NIGHT)
    assert found.columns == TABLES["interests"].names
    rows = {row.horizon: row for row in found.collect()}
    assert rows["long"].terms == [("hat", pytest.approx(0.8)), ("red", pytest.approx(0.6))]
    assert rows["short"].terms == [("hat", 1.0)]
    assert {(row.user_id, row.as_of.replace(tzinfo=dt.UTC), row.idf_version, row.night) for row in rows.values()} == {
        ("s:u1", END, "2012-10-29", NIGHT)
    }


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_oracle(spark, defaults, seed):
    rows = random_rows(seed)
    idf = {"red": 0.5, "hat": 2.0, "shoes": 1.25}  # the other two are newer than the count
    unseen = np.log(11) + 1
    assert vectors(spark, rows, defaults, idf) == approx(by_oracle(rows, defaults, idf, unseen))


def test_the_norm_is_of_the_whole_vector_and_the_cut_keeps_the_heaviest(spark, with_settings):
    weights = {f"t{n}": (n, n) for n in range(1, 6)}
    found = vectors(spark, [sums_row(**weights)], with_settings(max_terms=2))
    norm = np.sqrt(sum(n**2 for n in range(1, 6)))
    assert found["s:u1", "long"] == [("t5", pytest.approx(5 / norm)), ("t4", pytest.approx(4 / norm))]


def test_ties_go_by_code_point(spark, with_settings):
    # The last bits of 0.1 + 0.2 and 0.3 differ: too little to rank by.
    weights = {"b": (0.3, 1), "a": (0.1 + 0.2, 1), "茶": (0.3, 1), "é": (0.3, 1)}
    found = vectors(spark, [sums_row(**weights)], with_settings(max_terms=3))
    assert [term for term, _ in found["s:u1", "long"]] == ["a", "b", "é"]
    assert [term for term, _ in found["s:u1", "short"]] == ["a", "b", "é"]


def test_a_new_term_has_the_idf_of_one_that_no_document_has(spark, with_settings):
    rows = [sums_row(old=(1, 1), new=(1, 1))]
    for kind, unseen in (("smooth", np.log(10 / 1) + 1), ("plain", np.log(9))):
        found = dict(vectors(spark, rows, with_settings(idf=kind), {"old": 1.0}, n_documents=9)["s:u1", "long"])
        assert found["new"] / found["old"] == pytest.approx(unseen)


def test_without_any_document_terms_count_alike(spark, defaults):
    found = vectors(spark, [sums_row(red=(1, 1), hat=(1, 1))], defaults)
    assert found["s:u1", "long"] == [("hat", pytest.approx(0.5**0.5)), ("red", pytest.approx(0.5**0.5))]


def test_a_vector_without_weight_has_a_row_without_terms(spark, defaults):
    found = vectors(spark, [sums_row(red=(1, 0))], defaults, {"red": 0.0})
    assert found == {("s:u1", "long"): [], ("s:u1", "short"): []}


def test_no_sums(spark, defaults):
    assert vectors(spark, [], defaults, {"red": 1.0}) == {}


def test_partitions_do_not_matter(spark, defaults):
    rows = random_rows(5, users=6)
    assert vectors(spark, rows, defaults, partitions=5) == approx(vectors(spark, rows[::-1], defaults, partitions=1))


@pytest.mark.parametrize("partitions", [1, 5])
def test_a_night_with_one_row_per_user_gives_what_any_night_does(spark, defaults, partitions):
    rows = random_rows(6, users=9, nights=1)
    random.Random(6).shuffle(rows)
    assert vectors(spark, rows, defaults, partitions=partitions, single=True) == vectors(spark, rows, defaults)


def test_ten_years_ago_and_tiny_weights_neither_overflow_nor_vanish(spark, defaults):
    rows = [
        sums_row("s:gone", 3650, red=(3, 3), hat=(4, 4)),
        sums_row("s:tiny", 0, red=(3e-300, 3e-300), hat=(4e-300, 4e-300)),
        sums_row("s:back", 3650, red=(3, 3)),
        sums_row("s:back", 0, hat=(1, 1)),
    ]
    found = vectors(spark, rows, defaults, {"red": 1.0, "hat": 1.0})
    for user in ("s:gone", "s:tiny"):
        assert found[user, "short"] == [("hat", pytest.approx(0.8)), ("red", pytest.approx(0.6))]
    assert found["s:back", "short"] == [("hat", 1.0)]


@few
@given(st.integers(0, 10**6))
def test_a_user_whom_no_night_touches_keeps_their_vector(spark, defaults, seed):
    rows = random_rows(seed, users=1)
    later = [row | {"night": row["night"] - dt.timedelta(40)} for row in rows]
    assert vectors(spark, later, defaults) == approx(vectors(spark, rows, defaults))


def test_nights_are_as_long_as_their_clock_says(spark, with_settings):
    # The clocks of Berlin went back on 2012-10-28: 2012-10-27 and 2012-10-28 end 25 hours apart.
    settings = with_settings(time_zone="Europe/Berlin", half_life_long_days=1 / 24)
    rows = [sums_row(days_ago=4, red=(2.0**25, 1)), sums_row(days_ago=3, hat=(1, 1))]
    assert vectors(spark, rows, settings)["s:u1", "long"] == [
        ("hat", pytest.approx(0.5**0.5)),
        ("red", pytest.approx(0.5**0.5)),
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 9])
def test_ages_are_from_each_users_latest_night(size):
    ends = {"a": [300, 200, 100], "b": [250], "c": [400, 400, 100]}
    rows = [(user, end) for user, of_user in ends.items() for end in of_user]
    batches = [
        pa.RecordBatch.from_pylist([{"user_id": user, "ended_s": end} for user, end in rows[start : start + size]])
        for start in range(0, len(rows), size)
    ]
    ages = [age for batch in with_ages([*batches, batches[0].slice(0, 0)]) for age in batch.column("age_s").to_pylist()]
    assert ages == [0, 100, 200, 0, 0, 0, 300]


@given(st.lists(st.floats(0, 1)))
def test_weights_are_rounded_to_30_bits_in_the_same_order(weights):
    weights = np.sort(np.array(weights))
    size = rounded(weights)
    assert (np.diff(size) >= 0).all()
    assert as_weights(size) == pytest.approx(weights, rel=2**-30, abs=1e-316)
    assert (rounded(as_weights(size) * (1 + 2**-40)) == size).all()
    assert (size < TOP).all()


def test_idf_lookup_without_spark():
    idf = Idf(pa.array(["hat", "red"]), np.array([1.0, 2.0]), 9.0, "v")
    assert idf.of(pa.array(["red", "new", "hat"])).tolist() == [2.0, 9.0, 1.0]
    assert idf.of(pa.array([], pa.string())).tolist() == []
