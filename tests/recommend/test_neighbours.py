import numpy as np
import pytest

from chronotope.recommend.neighbours import Neighbours
from chronotope.train.batches import users_of
from tests.oracles.sessions import distance_m
from tests.recommend.world import as_pandas, catalogue, history, item


def across(items, place, near_m, region="west"):
    """The item_ids near one step of one user."""
    known = catalogue(items)
    step = {"lat": place[0], "lon": place[1], "region": region}
    users = users_of(as_pandas([history("u", [step])]), known)
    near = Neighbours(known, near_m).across(users, np.array([0]), np.array([0]))
    return {known.item_ids[j] for j in near.col}


def test_reach_ends_at_near_m():
    items = [item("in", "east", 0.0, 0.0089), item("out", "east", 0.0, 0.0091)]  # 0.009 degrees are 1000.8 m
    assert across(items, (0.0, 0.0), 1000.8) == {"in"}


def test_an_item_exactly_at_near_m_is_near():
    items = [item("edge", "east", 0.0, 0.01)]
    assert across(items, (0.0, 0.0), distance_m(items[0], {"lat": 0.0, "lon": 0.0})) == {"edge"}


def test_the_date_line_separates_nothing():
    items = [item("fiji", "east", -17.0, -179.999), item("far", "east", -17.0, 179.0)]
    assert across(items, (-17.0, 179.999), 500.0) == {"fiji"}


def test_all_longitudes_meet_at_the_pole():
    items = [item("other side", "east", 89.999, 180.0), item("away", "east", 89.0, 0.0)]
    assert across(items, (89.999, 0.0), 500.0) == {"other side"}


def test_neighbours_in_the_same_region_are_left_out():
    items = [item("same", "west", 0.0, 0.0), item("other", "east", 0.0, 0.0)]
    assert across(items, (0.0, 0.0), 10.0) == {"other"}


@pytest.mark.parametrize("place", [(None, None), (0.0, None)])
def test_a_step_without_a_place_has_no_neighbours(place):
    assert across([item("a", "east", 0.0, 0.0)], place, 1e7) == set()


def test_items_without_coordinates_are_no_neighbours():
    assert across([item("a"), item("b", "east")], (0.0, 0.0), 1e8) == set()


def test_no_steps_give_an_empty_matrix():
    known = catalogue([item("a", "east", 0.0, 0.0)])
    users = users_of(as_pandas([history("u", [])]), known)
    none = np.zeros(0, np.int64)
    assert Neighbours(known, 1.0).across(users, none, none).shape == (0, 1)


def test_random_places_agree_with_the_angle_between_unit_vectors():
    rng = np.random.default_rng(7)
    points = np.column_stack([rng.uniform(-90, 90, 60), rng.uniform(-180, 180, 60)])
    items = [item(f"i{n:02d}", "east", *point) for n, point in enumerate(points)]
    for lat, lon in points[:5] + 0.01:
        near = {row["item_id"] for row in items if distance_m(row, {"lat": lat, "lon": lon}) <= 3e6}
        assert across(items, (lat, lon), 3e6) == near
