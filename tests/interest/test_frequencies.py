"""Table terms: document frequencies, both formulas, and the calendar."""

import datetime as dt
import math

import pytest

from chronotope.interest import document_frequencies, tokens
from chronotope.tables import TABLES
from tests.interest.conftest import before_end
from tests.oracles import interest as oracle
from tests.rows import NIGHT, frame

TEXTS = {"s:i1": "red shoes", "s:i2": "red red hat", "s:i3": "red shoes", "s:i4": None, "s:i5": "the", "s:i6": "咖啡"}
DOCUMENTS = [["red", "shoes"], ["red", "red", "hat"], ["red", "shoes"], [], [], ["咖啡"]]


def sums_frame(spark, terms_of_user):
    rows = [
        {"user_id": user, "night": night, "terms": " ".join(terms), "long": [1.0] * len(terms)}
        for user, night, terms in terms_of_user
    ]
    return frame(spark, "term_sums", rows)


def counted(spark, make, settings, texts=None, sums=(), queries=()):
    events = [{"query": query, "occurred_at": before_end(1)} for query in queries]
    items, frame_of_events = make(TEXTS if texts is None else texts, events)
    of_texts = tokens(items, frame_of_events, settings)
    return document_frequencies(of_texts, sums_frame(spark, sums), settings, NIGHT)


@pytest.mark.parametrize("kind", ["smooth", "plain"])
def test_items_equal_the_oracle(spark, make, with_settings, kind):
    found = counted(spark, make, with_settings(idf=kind))
    assert found.columns == TABLES["terms"].names
    rows = found.collect()
    expected, _ = oracle.idf(DOCUMENTS, kind)
    assert {row.term: (row.document_frequency, row.idf) for row in rows} == {
        term: (count, pytest.approx(value)) for term, (count, value) in expected.items()
    }
    assert {(row.n_documents, row.version, row.night) for row in rows} == {(4, "2012-10-31", NIGHT)}


def test_queries_are_no_documents(spark, make, defaults):
    found = counted(spark, make, defaults, queries=["red shoes", "green tea"])
    assert {row.term: row.document_frequency for row in found.collect()} == {"red": 3, "shoes": 2, "hat": 1, "咖啡": 1}


def test_users_are_counted_once_over_all_nights(spark, make, with_settings):
    day = dt.timedelta(1)
    sums = [("u1", NIGHT, ["red", "hat"]), ("u1", NIGHT - day, ["red"]), ("u2", NIGHT - day, ["red"])]
    rows = counted(spark, make, with_settings(documents="users", idf="plain"), sums=sums).collect()
    assert {(row.term, row.document_frequency, row.n_documents, row.idf) for row in rows} == {
        ("red", 2, 2, 0.0),
        ("hat", 1, 2, math.log(2)),
    }


@pytest.mark.parametrize("documents", ["items", "users"])
def test_no_documents_give_no_terms(spark, make, with_settings, documents):
    assert counted(spark, make, with_settings(documents=documents), texts={}).collect() == []
