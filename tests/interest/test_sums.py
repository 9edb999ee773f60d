"""Table term_sums: against the oracle, and its limits."""

import datetime as dt
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import functions as F

from chronotope.interest import described_by, tokens, total_sums
from chronotope.interest.texts import distinct_texts, documents, has_repeats
from chronotope.interest.words import terms_of
from chronotope.tables import TABLES
from tests.examples import few
from tests.interest.conftest import END, as_dict, before_end, digest
from tests.oracles import interest as oracle
from tests.rows import NIGHT

TEXTS = {"s:i1": "red shoes", "s:i2": "Red hat, red scarf", "s:i3": None, "s:i4": "咖啡馆", "s:i5": "the"}
TERMS = {
    "s:i1": ["red", "shoes"], "s:i2": ["red", "hat", "red", "scarf"], "s:i4": ["咖啡馆"], "red shoes": ["red", "shoes"],
    "blue hat": ["blue", "hat"],
}  # fmt: skip


def event(user="s:u1", item="s:i1", days=1.0, action="view", query=None):
    return {
        "user_id": user, "item_id": item, "occurred_at": before_end(days), "action": action, "query": query,
    }  # fmt: skip


def random_events(seed, n=40):
    rng = random.Random(seed)
    return [
        event(
            rng.choice(["s:u1", "s:u2", "s:u3"]),
            rng.choice([*TEXTS, None]),
            rng.uniform(-1, 20),
            rng.choice(["view", "buy", "cart", "search"]),
            rng.choice([None, None, "red shoes", "blue hat"]),
        )
        for _ in range(n)
    ]


def half_lives(settings):
    return {"long": settings.interest.half_life_long_days, "short": settings.interest.half_life_short_days}


def by_oracle(events, settings, end=END):
    return oracle.term_sums(events, TERMS, settings.interest.action_weights, half_lives(settings), end)


def approx(sums, relative=1e-9):
    return {
        user: {horizon: pytest.approx(weights, rel=relative, abs=0) for horizon, weights in both.items()}
        for user, both in sums.items()
    }


def test_columns_and_one_visible_row(sums_of, defaults):
    found = sums_of({"s:i1": "Red shoes, red hat"}, [event(days=30)], defaults, raw=True)
    assert found.columns == TABLES["term_sums"].names
    (row,) = found.collect()
    assert (row.user_id, row.night) == ("s:u1", NIGHT)
    assert row.terms == "hat red shoes"
    assert row.long == pytest.approx([0.125, 0.25, 0.125])  # one half-life of 30 days
    assert row.short == pytest.approx([0.25 * 2**-10, 0.5 * 2**-10, 0.25 * 2**-10])


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_oracle(sums_of, defaults, seed):
    events = random_events(seed)
    assert sums_of(TEXTS, events, defaults) == approx(by_oracle(events, defaults))


def test_no_events(sums_of, defaults):
    assert sums_of(TEXTS, [], defaults) == {}


@pytest.mark.parametrize("item", ["s:i3", "s:i5", "s:unknown", None])
def test_an_event_without_terms_gives_no_row(sums_of, defaults, item):
    assert sums_of(TEXTS, [event(item=item)], defaults) == {}


def test_a_query_counts_as_a_text_of_its_own(sums_of, defaults):
    with_item = [event(action="search", query="Blue hat")]
    alone = [event(item=None, action="search", query="Blue hat")]
    half = defaults.interest.action_weights["search"] / 2
    kept = 2 ** (-1 / 30)
    assert sums_of(TEXTS, alone, defaults)["s:u1"]["long"] == pytest.approx({"blue": half * kept, "hat": half * kept})
    assert set(sums_of(TEXTS, with_item, defaults)["s:u1"]["long"]) == {"blue", "hat", "red", "shoes"}


def test_action_weights_and_the_unlisted_action(sums_of, with_settings):
    settings = with_settings(action_weights={"buy": 7.0})
    sums = sums_of(TEXTS, [event("s:u1", action="buy"), event("s:u2", action="wink")], settings)
    assert sums["s:u1"]["long"]["red"] == pytest.approx(7 * sums["s:u2"]["long"]["red"])


def test_events_after_the_nights_end_change_nothing(sums_of, defaults):
    past = [event(days=1)]
    poison = [event(days=-1), event(days=0, action="buy"), event("s:u9", days=-300)]
    assert sums_of(TEXTS, past + poison, defaults) == sums_of(TEXTS, past, defaults)


def test_the_night_ends_at_24_00_of_its_time_zone(sums_of, with_settings):
    # On 2012-10-28 the clocks of Berlin went back: that day's end is 23:00 UTC.
    settings = with_settings(time_zone="Europe/Berlin", half_life_long_days=1.0)
    events = [event() | {"occurred_at": dt.datetime(2012, 10, 28, hour, 59, 59, tzinfo=dt.UTC)} for hour in (22, 23)]
    sums = sums_of(TEXTS, events, settings, night=dt.date(2012, 10, 28))
    assert sums["s:u1"]["long"]["red"] == pytest.approx(0.5 * 2 ** (-1 / 86_400))


def test_ten_years_of_history_stay_finite(sums_of, defaults):
    events = [event(days=3650), event("s:u2", days=3650), event("s:u2", days=0.5)]
    sums = sums_of(TEXTS, events, defaults)
    assert sums == approx(by_oracle(events, defaults))
    assert sums["s:u1"]["long"]["red"] == pytest.approx(0.5 * 2 ** (-3650 / 30))
    assert sums["s:u1"]["short"]["red"] == 0.0  # 2^-1217 is below the smallest double


def test_one_user_with_very_many_events(spark, make, defaults):
    from chronotope.interest import term_sums

    items, one = make(TEXTS, [event()])
    many = one.drop("event_id").crossJoin(spark.range(200_000).select(F.col("id").cast("string").alias("event_id")))
    found = as_dict(term_sums(many, tokens(items, many, defaults), defaults, NIGHT))
    assert found["s:u1"]["long"]["red"] == pytest.approx(200_000 * 0.5 * 2 ** (-1 / 30))


def test_row_order_and_partitions_do_not_matter(sums_of, defaults):
    events = random_events(7)
    shuffled = random.Random(1).sample(events, len(events))
    assert sums_of(TEXTS, shuffled, defaults, partitions=7) == approx(sums_of(TEXTS, events, defaults, partitions=1))


def test_other_users_do_not_move_mine(sums_of, defaults):
    events = random_events(8)
    mine = [row for row in events if row["user_id"] == "s:u2"]
    everyone = sums_of(TEXTS, events, defaults)
    assert {"s:u2": everyone["s:u2"]} == approx(sums_of(TEXTS, mine, defaults))


@few
@given(st.integers(0, 10**6), st.integers(1, 12))
def test_nights_add_up_once_rescaled(sums_of, defaults, seed, split_days):
    events = random_events(seed, n=25)
    first_end = before_end(split_days)
    before = [row for row in events if row["occurred_at"] < first_end]
    after = [row for row in events if row["occurred_at"] >= first_end]
    nights = [
        (sums_of(TEXTS, before, defaults, night=NIGHT - dt.timedelta(split_days)), split_days),
        (sums_of(TEXTS, after, defaults), 0),
    ]
    in_one_go = sums_of(TEXTS, events, defaults)
    added = {
        user: {horizon: dict.fromkeys(terms, 0.0) for horizon, terms in h.items()} for user, h in in_one_go.items()
    }
    for sums, age_days in nights:
        for user, both in sums.items():
            for horizon, weights in both.items():
                for term, weight in weights.items():
                    added[user][horizon][term] += weight * 2 ** (-age_days / half_lives(defaults)[horizon])
    assert added == approx(in_one_go)


@pytest.mark.parametrize("time_zone", ["UTC", "America/New_York"])
def test_a_refresh_keeps_what_all_nights_add_up_to(spark, sums_of, with_settings, time_zone):
    settings, events = with_settings(time_zone), random_events(3)
    nights = [NIGHT - dt.timedelta(days) for days in (9, 2, 0)]
    parts = [sums_of(TEXTS, events[n::3], settings, night=night, raw=True).cache() for n, night in enumerate(nights)]
    total = total_sums(parts[0].union(parts[1]).union(parts[2]), settings, NIGHT).cache()
    expected = {}
    for part, days in zip(parts, (9, 2, 0), strict=True):
        for user, both in as_dict(part).items():
            for horizon, weights in both.items():
                for term, weight in weights.items():
                    of = expected.setdefault(user, {}).setdefault(horizon, {})
                    of[term] = of.get(term, 0.0) + weight * 2 ** (-days / half_lives(settings)[horizon])
    assert as_dict(total) == approx(expected)
    assert {row.night for row in total.select("night").collect()} == {NIGHT}


def test_each_item_and_each_distinct_query_has_one_row_of_terms(make, defaults):
    texts = {f"s:i{n}": "red shoes" for n in range(5)} | {"s:i9": "Red shoes", "s:i8": None, "s:i7": "the"}
    queries = ["red shoes", "red shoes", "the", None]
    items, events = make(texts, [event(query=query) for query in queries])
    found = sorted((row.document, row.is_item, row.terms) for row in tokens(items, events, defaults).collect())
    described = [(f"s:i{n}", True, "red shoes") for n in (0, 1, 2, 3, 4, 9)]
    assert found == sorted([*described, (digest("red shoes"), False, "red shoes")])


def test_a_text_is_cut_once_however_many_items_and_queries_have_it(make):
    texts = {f"s:i{n}": "red shoes" for n in range(5)} | {"s:i9": "blue hat", "s:i8": None}
    items, events = make(texts, [event(query=query) for query in ("red shoes", "the", None)])
    spread = documents(items.repartition(3, "item_id"), events)
    found = sorted((row.text, row.n_items) for row in distinct_texts(spread).collect())
    assert has_repeats(spread)
    assert found == [("blue hat", 1), ("red shoes", 5), ("the", 0)]


@given(texts=st.lists(st.sampled_from(["red", "red hat", "the", "red", "茶馆", None]), max_size=6))
@few
def test_counts_are_the_same_whether_texts_repeat_or_not(make, defaults, texts):
    items, events = make({f"s:i{n}": text for n, text in enumerate(texts)}, [event(query="red cat")])
    found = tokens(items, events, defaults)
    counted = found.select(F.inline("counted")).groupBy("term").agg(F.sum("n").alias("n")).where("n > 0").collect()
    expected = Counter(term for text in texts if text for term in set(terms_of(text, 2)))
    assert {row.term: row.n for row in counted} == dict(expected)


def test_a_log_without_repeated_texts_has_none_to_move(make):
    items, events = make({"s:i1": "red", "s:i2": "Red", "s:i3": None, "s:i4": None}, [event(query="blue")])
    assert not has_repeats(documents(items, events))


def test_bytes_that_are_no_utf8_do_not_stop_the_night(spark, make, defaults):
    items, events = make({"s:i1": "x"}, [event()])
    broken = items.withColumn("text", F.expr("cast(X'72656420FF20686174' as string)"))
    (row,) = tokens(broken, events, defaults).collect()
    assert row.terms == "red hat"


def test_described_by_keeps_the_nights_items(make):
    items, events = make(TEXTS, [event(item="s:i2"), event(item="s:i2"), event(item=None)])
    assert [row.item_id for row in described_by(items, events).collect()] == ["s:i2"]
