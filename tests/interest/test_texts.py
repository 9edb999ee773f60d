"""Texts as batches of terms, without Spark."""

from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from chronotope.interest.texts import items_with, tokeniser
from chronotope.interest.words import tokenise

DOCUMENTS = st.lists(
    st.tuples(st.sampled_from(["", "red", "red hat red", "the", "茶馆 hat", "zoë"]), st.integers(0, 3))
)
SCHEMA = pa.schema([("document", pa.string()), ("n_items", pa.int64()), ("text", pa.string())])


def batch_of(documents):
    rows = [{"document": f"s:i{n}", "n_items": n_items, "text": text} for n, (text, n_items) in enumerate(documents)]
    return pa.RecordBatch.from_pylist(rows, SCHEMA)


def rows_of(documents, size):
    batches = [batch_of(documents[start : start + size]) for start in range(0, len(documents), size)]
    return [row for batch in tokeniser(2)(batches) for row in batch.to_pylist()]


def expected(documents):
    total = Counter()
    for text, n_items in documents:
        (terms,) = tokenise(pa.array([text]), 2).to_pylist()
        total.update(dict.fromkeys(set(terms), n_items))
    return +total


@given(DOCUMENTS)
def test_terms_are_counted_once_per_item(documents):
    batch = batch_of(documents)
    found = items_with(tokenise(batch.column("text"), 2), batch.column("n_items")).to_pylist()
    assert {row["term"]: row["n"] for row in found} == expected(documents)


@given(DOCUMENTS, st.integers(1, 4))
def test_batches_of_any_size_add_up(documents, size):
    total = Counter()
    for row in rows_of(documents, size):
        total.update({counted["term"]: counted["n"] for counted in row["counted"]})
    assert total == expected(documents)


def test_documents_without_terms_have_no_row():
    rows = rows_of([("the", 1), ("red hat", 0), ("", 2), ("茶馆", 2)], 4)
    assert [(row["document"], row["n_items"], row["terms"]) for row in rows] == [
        ("s:i1", 0, "red hat"),
        ("s:i3", 2, "茶馆"),
    ]
    assert rows_of([("the", 1)], 1) == []
