"""P(daypart, region | user), against a plain-Python twin."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.infer.contexts import contexts, usual_dayparts
from tests.examples import few
from tests.infer.conftest import NIGHT_END
from tests.oracles import infer as oracle
from tests.rows import frame
from tests.train import small
from tests.train.small import DAYPARTS

DAY = dt.timedelta(days=1)
LAST = (NIGHT_END - DAY).date()
USUAL = {("weekday", "north"): 0.75, ("weekend", "north"): 0.25}


def count(user="u", daypart="weekday", region="north", n=1, days=0.0, item="i", night=LAST):
    return {
        "user_id": user, "item_id": item, "daypart": daypart, "region": region, "n": n, "weight": float(n),
        "decayed": n * 2 ** (-days / 30), "hiding": 0, "last_at": NIGHT_END - days * DAY, "night": night,
    }  # fmt: skip


def usual(spark, shares):
    rows = [(region, daypart, p) for (daypart, region), p in shares.items()]
    return spark.createDataFrame(rows, "region string, daypart string, p_daypart double")


def found(spark, settings, rows, shares=USUAL):
    answer = {}
    for row in contexts(frame(spark, "counts", rows), usual(spark, shares), settings, NIGHT_END).collect():
        answer.setdefault(row.user_id, {})[row.daypart, row.region] = row.context_probability
    return answer


def limited(settings, **changes):
    return settings.model_copy(update={"recommend": settings.recommend.model_copy(update=changes)})


def test_one_event_is_smoothed_with_the_region_of_everybody(spark, small_settings):
    answer = found(spark, small_settings, [count()])
    # own: (1 + 5 * 3/4) / 6
    assert answer["u"] == pytest.approx({("weekday", "north"): 4.75 / 6, ("weekend", "north"): 1.25 / 6})


def test_where_nobody_is_known_to_have_been_all_dayparts_are_alike(spark, small_settings):
    answer = found(spark, small_settings, [count(region="nowhere")])
    assert answer["u"] == pytest.approx({("weekday", "nowhere"): 3.5 / 6, ("weekend", "nowhere"): 2.5 / 6})


def test_everybodys_dayparts_are_those_that_the_catalogue_counted(spark):
    catalogue = small.catalogue()
    n, n_dayparts = catalogue.popularity.toarray().sum(axis=1), len(catalogue.dayparts)
    rows = {(r.region, r.daypart): r.p_daypart for r in usual_dayparts(spark, catalogue).collect()}
    assert len(rows) == (1 + len(catalogue.regions)) * n_dayparts
    for place, region in enumerate(["", *catalogue.regions]):
        events = n[place * n_dayparts : (place + 1) * n_dayparts]
        for daypart, own in zip(catalogue.dayparts, events, strict=True):
            assert rows[region, daypart] == pytest.approx((own + 1) / (events.sum() + n_dayparts))


def test_old_events_count_less(spark, small_settings):
    rows = [count(n=4, daypart="weekend", days=60), count(n=2, daypart="weekday")]
    answer = found(spark, small_settings, rows)["u"]
    assert answer["weekday", "north"] > answer["weekend", "north"]


def test_nights_add_up(spark, small_settings):
    half = 30  # days: what was decayed to that night's end counts half tonight
    apart = [count(n=2, night=LAST - half * DAY), count(n=2), count(daypart="weekend")]
    together = [count(n=3), count(daypart="weekend")]
    assert found(spark, small_settings, apart)["u"] == pytest.approx(found(spark, small_settings, together)["u"])


def test_only_the_likeliest_regions_and_contexts_are_kept(spark, small_settings):
    rows = [count(region=region, n=n) for region, n in [("a", 1), ("b", 5), ("c", 5), ("", 9)]]
    answer = found(spark, limited(small_settings, max_regions=2, max_contexts=3), rows)["u"]
    assert set(answer) == {("weekday", ""), ("weekday", "b"), ("weekend", "")}
    assert sum(answer.values()) == pytest.approx(1.0)


def test_a_user_does_not_move_with_others(spark, small_settings):
    mine = [count(), count(daypart="weekend", n=2)]
    others = [count(user="v", n=50), count(user="w", region="south", n=50)]
    alone, beside = (found(spark, small_settings, rows)["u"] for rows in (mine, mine + others))
    assert beside == pytest.approx(alone)


ROWS = st.lists(
    st.tuples(
        st.sampled_from("uvw"), st.sampled_from(list(DAYPARTS)), st.sampled_from(["", "a", "b", "c"]),
        st.integers(1, 9), st.integers(0, 90),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


@few
@given(rows=ROWS, max_regions=st.integers(1, 3), max_contexts=st.integers(1, 5))
def test_it_agrees_with_the_oracle(spark, small_settings, rows, max_regions, max_contexts):
    limits = limited(small_settings, max_regions=max_regions, max_contexts=max_contexts)
    counts = [count(u, d, r, n, days, item=f"i{k}") for k, (u, d, r, n, days) in enumerate(rows)]
    end_s = NIGHT_END.timestamp()
    plain = [(u, d, r, n, end_s - 86_400 * days) for u, d, r, n, days in rows]
    shares = {("weekday", "a"): 0.9, ("weekend", "a"): 0.1, ("weekday", ""): 0.6, ("weekend", ""): 0.4}
    expected = oracle.contexts(plain, list(DAYPARTS), 30.0, end_s, max_regions, max_contexts, shares)
    answer = found(spark, limits, counts, shares)
    assert {user: pytest.approx(p) for user, p in expected.items()} == answer
