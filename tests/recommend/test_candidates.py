import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chronotope.recommend.candidates import Candidates, never_empty
from chronotope.train.batches import users_of
from chronotope.train.scoring import Queries
from tests.oracles.recommend import may_stand
from tests.recommend.world import DAYPARTS, REGIONS, as_pandas, catalogue, event, history, item

SLOTS = {"weekday": 60, "weekend": 130}
ITEMS = [item("a", "west"), item("b", "east"), item("c"), item("d", "east")]


def names(items, steps, daypart="weekday", region="west", events=(), hidden=(), popular_size=5, near_m=1000.0):
    """The item_ids that may stand in one list of one user."""
    known = catalogue(items, events)
    users = users_of(as_pandas([history("u", steps)]), known)
    region = REGIONS.index(region) if region in REGIONS else -1
    queries = Queries(
        np.zeros(1, np.int64),
        users.length,
        np.zeros(1),
        np.array([SLOTS[daypart]]),
        np.array([region]),
        np.zeros(1, bool),
    )
    held = np.isin(known.item_ids, list(hidden))[None, :] if hidden else None
    mask = Candidates(known, popular_size, near_m).mask(users, queries, held)
    return {known.item_ids[j] for j in np.flatnonzero(mask[0])}


def test_a_list_for_a_region_holds_its_items_and_those_without_a_place():
    assert names(ITEMS, []) == {"a", "c"}


@pytest.mark.parametrize("region", ["", "atlantis"])
def test_without_a_known_region_every_item_may_stand(region):
    assert names(ITEMS, [], region=region) == {"a", "b", "c", "d"}


def test_what_the_user_met_there_may_stand_though_it_belongs_elsewhere():
    assert names(ITEMS, [{"item_id": "b", "region": "west"}]) == {"a", "b", "c"}


def test_what_the_user_met_elsewhere_may_not():
    assert names(ITEMS, [{"item_id": "b", "region": "east"}]) == {"a", "c"}


def test_what_is_popular_there_may_stand_at_every_daypart():
    assert names(ITEMS, [], daypart="weekend", events=[event("d", 3, "west", "weekday")]) == {"a", "c", "d"}


def test_only_the_most_popular_come_from_another_region():
    events = [event("b", 3), event("d", 5)]
    assert names(ITEMS, [], events=events, popular_size=1) == {"a", "c", "d"}


def test_neighbours_across_the_border_may_stand():
    items = [item("far", "east", 0.0, 0.1), item("here", "west", 0.0, 0.0), item("near", "east", 0.0, 0.001)]
    assert names(items, [{"item_id": "here", "lat": 0.0, "lon": 0.0}]) == {"here", "near"}


def test_neighbours_of_a_place_in_another_region_do_not_count():
    items = [item("here", "west", 0.0, 0.0), item("near", "east", 0.0, 0.001)]
    assert names(items, [{"item_id": "here", "lat": 0.0, "lon": 0.0, "region": "east"}]) == {"here"}


def test_hidden_items_are_absent():
    assert names(ITEMS, [{"item_id": "a"}], hidden=["a"]) == {"c"}


def test_when_a_region_has_nothing_left_the_list_looks_beyond_it():
    assert names(ITEMS, [], hidden=["a", "c"]) == {"b", "d"}


def test_when_the_user_has_everything_it_is_shown_again():
    assert names(ITEMS, [], hidden=["a", "b", "c", "d"]) == {"a", "b", "c", "d"}


@pytest.mark.parametrize("region", ["west", ""])
def test_what_is_gone_stands_in_no_list_whatever_the_user_has(region):
    items = [item("a", "west"), item("b", "west", gone=True), item("c", "west")]
    steps = [{"item_id": "b", "region": "west"}]
    events = [event("b", 9), event("b", 9, daypart="weekend")]
    assert names(items, steps, region=region, events=events) == {"a", "c"}
    assert names(items, steps, region=region, events=events, hidden=["a"]) == {"c"}
    assert names(items, steps, region=region, events=events, hidden=["a", "c"]) == {"a", "c"}
    assert names(items, steps, region=region, events=events, hidden=["a", "b", "c"]) == {"a", "c"}


def test_what_is_gone_takes_no_place_among_the_popular():
    items = [item("a", "west"), item("b", "east", gone=True), item("d", "east")]
    assert names(items, [], events=[event("b", 9), event("d")], popular_size=1) == {"a", "d"}


def test_where_everything_is_gone_it_is_shown():
    assert names([item("a", "west", gone=True), item("b", "west", gone=True)], []) == {"a", "b"}


def test_a_region_without_items_is_not_empty():
    assert names([item("a", "west"), item("b", "west")], [], region="east") == {"a", "b"}


def test_a_step_on_an_unknown_item_is_no_candidate():
    assert names(ITEMS, [{"item_id": "unheard of"}]) == {"a", "c"}


def test_never_empty_without_hidden_items_opens_empty_rows_only():
    mask = np.array([[False, False], [True, False]])
    assert never_empty(mask, None, np.ones(2, bool)).tolist() == [[True, True], [True, False]]


PLACES = st.sampled_from([(None, None), (0.0, 179.999), (0.0, -179.999), (0.002, 179.998), (0.1, 0.0)])
REGION = st.sampled_from([None, *REGIONS])


@given(
    items=st.lists(st.tuples(REGION, PLACES, st.booleans()), min_size=1, max_size=8),
    steps=st.lists(st.tuples(st.integers(0, 9), REGION, PLACES), max_size=6),
    events=st.lists(
        st.tuples(st.integers(0, 7), st.integers(1, 3), REGION, st.sampled_from(list(DAYPARTS))), max_size=6
    ),
    hidden=st.sets(st.integers(0, 7)),
    daypart=st.sampled_from(list(DAYPARTS)),
    region=st.sampled_from(["", *REGIONS]),
    near_m=st.sampled_from([0.0, 230.0, 5000.0]),
)
@example(
    items=[(None, (None, None), False), ("east", (0.002, 179.998), False)], steps=[(0, "west", (0.002, 179.998))],
    events=[], hidden=set(), daypart="weekday", region="west", near_m=0.0,
)  # fmt: skip
def test_the_mask_agrees_with_the_oracle(items, steps, events, hidden, daypart, region, near_m):
    rows = [item(f"i{n}", home, *place, gone=gone) for n, (home, place, gone) in enumerate(items)]
    ids = {row["item_id"] for row in rows}
    taken = [{"item_id": f"i{n}", "region": r, "lat": place[0], "lon": place[1]} for n, r, place in steps]
    met = [event(f"i{n}", count, r, d) for n, count, r, d in events if f"i{n}" in ids]
    bought = {f"i{n}" for n in hidden} & ids
    found = names(rows, taken, daypart, region, met, bought, 2, near_m)
    assert found == may_stand(rows, met, taken, daypart, region, bought, 2, near_m)
