"""P(daypart, region | user), against a plain-Python twin."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotope.infer.contexts import contexts
from tests.infer.conftest import NIGHT_END
from tests.oracles import infer as oracle
from tests.rows import frame
from tests.train.small import DAYPARTS

DAY = dt.timedelta(days=1)


def count(user="u", daypart="weekday", region="north", n=1, days=0.0, item="i", night=1):
    return {
        "user_id": user, "item_id": item, "daypart": daypart, "region": region, "n": n, "weight": float(n),
        "last_at": NIGHT_END - days * DAY, "night": dt.date(2012, 10, night),
    }  # fmt: skip


def found(spark, settings, rows):
    answer = {}
    for row in contexts(frame(spark, "counts", rows), settings, NIGHT_END).collect():
        answer.setdefault(row.user_id, {})[row.daypart, row.region] = row.context_probability
    return answer


def limited(settings, **changes):
    return settings.model_copy(update={"recommend": settings.recommend.model_copy(update=changes)})


def test_one_event_is_smoothed_with_the_region_of_everybody(spark, small_settings):
    answer = found(spark, small_settings, [count()])
    # everybody: (1 + 1) / (1 + 2) on weekdays; own: (1 + 5 * 2/3) / 6
    assert answer["u"] == pytest.approx({("weekday", "north"): 13 / 18, ("weekend", "north"): 5 / 18})


def test_old_events_count_less(spark, small_settings):
    rows = [count(n=4, daypart="weekend", days=60), count(n=2, daypart="weekday")]
    answer = found(spark, small_settings, rows)["u"]
    assert answer["weekday", "north"] > answer["weekend", "north"]


def test_nights_add_up(spark, small_settings):
    apart = [count(n=1, night=1), count(n=2, night=2), count(daypart="weekend")]
    together = [count(n=3), count(daypart="weekend")]
    assert found(spark, small_settings, apart)["u"] == pytest.approx(found(spark, small_settings, together)["u"])


def test_only_the_likeliest_regions_and_contexts_are_kept(spark, small_settings):
    rows = [count(region=region, n=n) for region, n in [("a", 1), ("b", 5), ("c", 5), ("", 9)]]
    answer = found(spark, limited(small_settings, max_regions=2, max_contexts=3), rows)["u"]
    assert set(answer) == {("weekday", ""), ("weekday", "b"), ("weekend", "")}
    assert sum(answer.values()) == pytest.approx(1.0)


def test_a_user_does_not_move_with_others_elsewhere(spark, small_settings):
    mine = [count(), count(daypart="weekend", n=2)]
    others = [count(user="v", region="south", n=50)]
    alone, beside = (found(spark, small_settings, rows)["u"] for rows in (mine, mine + others))
    assert beside == pytest.approx(alone)


ROWS = st.lists(
    st.tuples(
        st.sampled_from("uvw"), st.sampled_from(list(DAYPARTS)), st.sampled_from(["", "a", "b", "c"]),
        st.integers(1, 9), st.integers(0, 90),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=6)
@given(rows=ROWS, max_regions=st.integers(1, 3), max_contexts=st.integers(1, 5))
def test_it_agrees_with_the_oracle(spark, small_settings, rows, max_regions, max_contexts):
    limits = limited(small_settings, max_regions=max_regions, max_contexts=max_contexts)
    counts = [count(u, d, r, n, days, item=f"i{k}") for k, (u, d, r, n, days) in enumerate(rows)]
    end_s = NIGHT_END.timestamp()
    plain = [(u, d, r, n, end_s - 86_400 * days) for u, d, r, n, days in rows]
    expected = oracle.contexts(plain, list(DAYPARTS), 30.0, end_s, max_regions, max_contexts)
    answer = found(spark, limits, counts)
    assert {user: pytest.approx(p) for user, p in expected.items()} == answer
