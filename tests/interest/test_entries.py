"""The summing of whole columns, without Spark."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from chronotope.interest.entries import entries_of, stable_sort, summed, sums_by_user

ROWS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.lists(st.sampled_from(["x", "y", "zé", "茶"]), max_size=4), st.integers(0, 9)
    ),
    max_size=12,
)


def batch_of(rows):
    users, terms, weights = zip(*rows, strict=True) if rows else ((), (), ())
    arrays = [pa.array(users, pa.string()), pa.array(terms, pa.list_(pa.string())), pa.array(weights, pa.float64())]
    return pa.RecordBatch.from_arrays(arrays, names=["user_id", "terms", "weight"])


def read(batch):
    lengths = np.array([len(terms) for terms in batch.column("terms").to_pylist()], dtype=np.int64)
    weights = np.repeat(batch.column("weight").to_numpy(), lengths)
    return entries_of(
        batch.column("user_id"), lengths, batch.column("terms").flatten(), np.stack([weights, 2 * weights])
    )


def as_rows(entries):
    users, terms = entries.users.to_pylist(), entries.terms.to_pylist()
    return [
        (users[user], terms[term], *weights)
        for user, term, weights in zip(entries.user, entries.term, entries.weights.T, strict=True)
    ]


def expected(rows):
    totals = defaultdict(float)
    for user, terms, weight in rows:
        for term in terms:
            totals[user, term] += weight
    return {(user, term, total, 2 * total) for (user, term), total in totals.items()}


@given(ROWS, st.integers(1, 5))
def test_batches_of_any_size_give_each_user_once_and_whole(rows, size):
    rows = sorted(rows, key=lambda row: row[0])
    batches = [batch_of(rows[start : start + size]) for start in range(0, len(rows), size)]
    parts = list(sums_by_user(batches, read))
    users = [user for part in parts for user in part.users.to_pylist()]
    assert users == sorted({row[0] for row in rows})
    assert {row for part in parts for row in as_rows(part)} == expected(rows)


@given(ROWS)
def test_terms_are_sorted_within_users(rows):
    found = as_rows(summed([read(batch_of(sorted(rows, key=lambda row: row[0])))]))
    assert found == sorted(found)


def test_empty_batches_and_none_give_nothing():
    assert list(sums_by_user([], read)) == []
    assert list(sums_by_user([batch_of([])], read)) == []


def test_what_is_held_back_keeps_only_its_own_terms():
    entries = summed([read(batch_of([("a", ["x", "y"], 1), ("b", ["zé"], 2)]))])
    last = entries.users_from(1)
    assert (last.terms.to_pylist(), as_rows(last)) == (["zé"], [("b", "zé", 2.0, 4.0)])
    assert as_rows(entries.users_before(1)) == [("a", "x", 1.0, 2.0), ("a", "y", 1.0, 2.0)]


@given(st.lists(st.integers(0, 5)), st.sampled_from([6, 2**62]))
def test_keys_are_sorted_with_their_positions(keys, end):
    keys = np.array(keys, dtype=np.int64)
    found, order = stable_sort(keys, end)
    assert order.tolist() == np.argsort(keys, kind="stable").tolist()
    assert found.tolist() == sorted(keys)
