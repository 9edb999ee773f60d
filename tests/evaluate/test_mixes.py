from __future__ import annotations

import numpy as np
import pytest

from chronotope.evaluate.mixes import KEPT_BINS, NO_TEXT, buckets_of, mixes, text_buckets
from tests.oracles import watch as oracle
from tests.rows import frame

VECTORS = np.random.default_rng(3).standard_normal((40, 24)).astype(np.float32)


def made(spark, events=(), interests=(), buckets=()):
    events = [{"event_id": f"e{n}", "user_id": user, "item_id": item, "action": action}
              for n, (user, item, action) in enumerate(events)]  # fmt: skip
    interests = [{"user_id": user, "horizon": horizon, "terms": terms} for user, horizon, terms in interests]
    buckets = spark.createDataFrame(list(buckets), "item_id string, bucket string")
    rows = mixes(frame(spark, "events", events), frame(spark, "interests", interests), buckets).collect()
    return {about: {row["bin"]: (row["mass"], row["users"]) for row in rows if row["about"] == about}
            for about in ("action", "bucket", "term")}  # fmt: skip


def test_a_user_counts_once_however_many_events(spark):
    events = [("a", "i", "view")] * 98 + [("a", "j", "buy")] * 2 + [("b", "i", "view"), ("c", None, "search")]
    found = made(spark, events, buckets=[("i", "01"), ("j", "10")])
    wanted = oracle.mix([(user, action) for user, _, action in events])
    assert {name: mass for name, (mass, _) in found["action"].items()} == pytest.approx(wanted)
    assert {users for _, users in found["action"].values()} == {3}
    assert found["bucket"] == {"01": (pytest.approx(1.98), 2), "10": (pytest.approx(0.02), 2)}  # a search has no text


def test_items_met_have_the_bucket_of_their_text(spark):
    vectors = {f"d{n}": vector for n, vector in enumerate(VECTORS.tolist())}
    items = frame(spark, "items", [{"item_id": f"i{n}", "text_digest": f"d{n}"} for n in range(5)])
    embeddings = frame(spark, "item_embeddings", [
        {"text_digest": digest, "model": "m", "embedding": vectors[digest]} for digest in ("d0", "d1", "d2")
    ])  # fmt: skip
    events = frame(spark, "events", [{"item_id": item} for item in ("i0", "i2", "i2", "i4", "gone", None)])
    found = {row["item_id"]: row["bucket"] for row in text_buckets(events, items, embeddings).collect()}
    wanted = buckets_of(VECTORS)
    assert found == {"i0": wanted[0], "i2": wanted[2]}
    shares = made(spark, [("a", "i0", "view"), ("a", "i4", "view"), ("a", None, "search")], buckets=found.items())
    assert shares["bucket"] == {wanted[0]: (0.5, 1), NO_TEXT: (0.5, 1)}


def test_terms_are_those_of_active_users_by_their_short_weights(spark):
    found = made(spark, [("a", "i", "view"), ("b", "i", "view"), ("c", "i", "view")], [
        ("a", "short", [("tea", 0.6), ("jazz", 0.2)]), ("a", "long", [("chess", 1.0)]),
        ("b", "short", [("tea", 1.0)]), ("c", "short", []), ("idle", "short", [("chess", 1.0)]),
    ])  # fmt: skip
    assert found["term"] == {"tea": (pytest.approx(1.75), 2), "jazz": (pytest.approx(0.25), 2)}


def test_the_largest_bins_are_kept_ties_by_name_and_all_users_counted(spark):
    terms = [(f"t{n:03}", 1.0) for n in range(KEPT_BINS + 20)]
    found = made(spark, [("a", "i", "view"), ("b", "i", "view")], [
        ("a", "short", terms), ("b", "short", [("t219", 1.0)]),
    ])["term"]  # fmt: skip
    assert sorted(found) == [f"t{n:03}" for n in range(KEPT_BINS - 1)] + ["t219"]
    assert {users for _, users in found.values()} == {2}


def test_no_events_give_no_mix(spark):
    assert made(spark, interests=[("a", "short", [("tea", 1.0)])]) == {"action": {}, "bucket": {}, "term": {}}


def test_texts_keep_their_bucket_and_opposites_never_share_one():
    vectors = VECTORS
    buckets = buckets_of(vectors)
    assert buckets_of(vectors[10:20] * 2) == buckets[10:20]
    assert all(a != b for a, b in zip(buckets, buckets_of(-vectors), strict=True))
    assert len(set(buckets)) > 8
    assert {len(name) for name in buckets} == {4}
    assert buckets_of(np.zeros((2, 24), dtype=np.float32)) == ["none", "none"]
