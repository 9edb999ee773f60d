import datetime as dt
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.errors import ModelError
from chronotope.recommend import lists
from chronotope.recommend.lists import ListMaker, at_a_time
from tests.oracles.recommend import best, may_stand
from tests.recommend.world import (
    DAYPARTS,
    REGIONS,
    PlainScorer,
    catalogue,
    event,
    history,
    item,
    plain_parts,
    with_recommend,
)

ITEMS = [
    item("a", "west", 0.0, 0.0, "Bar"),
    item("b", "east", 0.0, 0.005, "Cafe"),
    item("c", None, None, None, "Book"),
    item("d", "east", 1.0, 1.0),
    item("e", "west", 0.0, 0.01),
]
EVENTS = [event("a", 5, "west", "weekday"), event("d", 9, "east", "weekend"), event("c", 4, None, "weekday")]
WEIGHTS = (1.0, 0.5, 0.5, -0.25, 0.125)
NIGHT_END = dt.datetime(2012, 11, 1, tzinfo=dt.UTC)  # a Thursday
SLOTS = {"weekday": 3 * 24 + 12, "weekend": 5 * 24 + 12}
ARROW = pa.schema(
    {
        "user_id": pa.string(), "item_id": pa.list_(pa.string()), "action": pa.list_(pa.string()),
        "occurred_at_s": pa.list_(pa.float64()), "slot": pa.list_(pa.int32()), "region": pa.list_(pa.string()),
        "lat": pa.list_(pa.float64()), "lon": pa.list_(pa.float64()), "gap_s": pa.list_(pa.float64()),
        "distance_m": pa.list_(pa.float64()), "dayparts": pa.list_(pa.string()), "regions": pa.list_(pa.string()),
        "encoded": pa.list_(pa.float32()), "hidden": pa.list_(pa.string()),
    }
)  # fmt: skip


def user(user_id, steps=(), contexts=(("weekday", "west"),), hidden=None, encoded=None):
    row = history(user_id, list(steps))
    dayparts, regions = [c[0] for c in contexts], [c[1] for c in contexts]
    return row | {"dayparts": dayparts, "regions": regions, "hidden": hidden, "encoded": encoded}


def made(defaults, users, **changed):
    """The rows for some users, by (user_id, daypart, region)."""
    maker = ListMaker(PlainScorer(catalogue(ITEMS, EVENTS), WEIGHTS), with_recommend(defaults, **changed), NIGHT_END)
    return gather(maker.rows(pa.RecordBatch.from_pylist(users, ARROW)))


def gather(batches):
    rows = [row for batch in batches for row in batch.to_pylist()]
    found = {}
    for row in sorted(rows, key=lambda row: row["rank"]):
        found.setdefault((row["user_id"], row["daypart"], row["region"]), []).append(row)
    return found


def this_time(row):
    return dict(row["parts"]).get("this_time", 0.0)  # a part that adds nothing is left out


def ids(rows):
    return [row["item_id"] for row in rows]


def test_ranks_start_at_one_and_have_no_gaps(defaults):
    rows = made(defaults, [user("u")])["u", "weekday", "west"]
    assert [row["rank"] for row in rows] == [1, 2, 3]


def test_the_parts_of_a_row_add_up_to_its_score(defaults):
    found = made(defaults, [user("u", [{"item_id": "a"}, {"item_id": "e"}, {"item_id": "a"}])])
    for row in found["u", "weekday", "west"]:
        assert sum(dict(row["parts"]).values()) == pytest.approx(row["score"], abs=1e-9)
        assert set(dict(row["parts"])) <= {"interest", "habit", "this_time"}
        assert all(dict(row["parts"]).values())


def test_a_user_whose_items_are_all_unknown_gets_lists(defaults):
    found = made(defaults, [user("u", [{"item_id": "unheard of"}] * 3), user("v", [])])
    assert all(found[name, "weekday", "west"] for name in ("u", "v"))


def test_an_unknown_region_is_kept_by_name_and_draws_on_everything(defaults):
    rows = made(defaults, [user("u", contexts=[("weekday", "atlantis")])])["u", "weekday", "atlantis"]
    assert sorted(ids(rows)) == ["a", "b", "c", "d", "e"]


def test_hidden_items_are_absent_for_their_user_only(defaults):
    found = made(defaults, [user("u", hidden=["a", "gone"]), user("v")], seen="hide")
    assert "a" not in ids(found["u", "weekday", "west"])
    assert "a" in ids(found["v", "weekday", "west"])


def test_a_user_who_has_everything_still_gets_a_list(defaults):
    assert made(defaults, [user("u", hidden=["a", "b", "c", "d", "e"])], seen="hide")["u", "weekday", "west"]


def test_k_beyond_the_catalogue_gives_all_that_may_stand(defaults):
    found = made(defaults, [user("u", contexts=[("weekday", "")])], k=99)
    assert len(found["u", "weekday", ""]) == len(ITEMS)


def test_a_given_state_is_used_and_the_other_users_are_encoded(defaults):
    steps = [{"item_id": "a"}]
    found = made(defaults, [user("u", steps, encoded=[3.0, 1.0, 1.0]), user("v", steps)])
    first = {name: found[name, "weekday", "west"][0] for name in ("u", "v")}
    plain = plain_parts(PlainScorer(catalogue(ITEMS), WEIGHTS), steps, SLOTS["weekday"])
    assert this_time(first["v"]) == plain[first["v"]["item_id"]]["this_time"]
    assert this_time(first["u"]) == 1.5  # 3 * 0.25 * 2, by the state given


def test_states_given_for_all_are_used_as_they_are(defaults):
    found = made(defaults, [user("u", encoded=[2.0, 0.0, 0.0]), user("v", encoded=[0.0, 0.0, 0.0])])
    assert max(map(this_time, found["v", "weekday", "west"])) == 0.0
    assert max(map(this_time, found["u", "weekday", "west"])) == 1.0


def test_a_state_of_another_size_is_refused(defaults):
    with pytest.raises(ModelError, match="user_states of model plain have not 3 numbers"):
        made(defaults, [user("u", encoded=[1.0]), user("v")])
    with pytest.raises(ModelError, match="user_states of model plain have not 3 numbers"):  # also where all agree
        made(defaults, [user("u", encoded=[1.0]), user("v", encoded=[2.0])])


def test_a_list_is_for_when_its_daypart_comes_next(defaults):
    maker = ListMaker(PlainScorer(catalogue(ITEMS, EVENTS), WEIGHTS), with_recommend(defaults), NIGHT_END)
    asked = maker.asked(np.zeros(2, int), pa.array(["weekday", "weekend"]), pa.array(["west", ""]), np.array([4]))
    hours = (asked.queries.at_s - NIGHT_END.timestamp()) / 3600
    assert hours.tolist() == [12.5, 60.5]  # Thursday and Saturday, half past twelve
    assert asked.queries.slot.tolist() == list(SLOTS.values())


def test_anybody_gets_a_list_for_every_daypart_and_region_and_none(defaults):
    maker = ListMaker(PlainScorer(catalogue(ITEMS, EVENTS), WEIGHTS), with_recommend(defaults, k=2), NIGHT_END)
    found = gather(maker.of_anybody())
    assert set(found) == {("*", daypart, region) for daypart in DAYPARTS for region in ["", *REGIONS]}
    assert ids(found["*", "weekday", "west"]) == ["a", "c"]
    assert ids(found["*", "weekend", ""])[0] == "d"
    assert found["*", "weekday", "west"][0]["reason"] == "It is popular around here on weekdays."
    assert dict(found["*", "weekday", ""][0]["parts"]) == {
        "popular": pytest.approx(found["*", "weekday", ""][0]["score"])
    }


def test_the_lists_do_not_depend_on_who_else_is_in_the_batch(defaults, monkeypatch):
    rng = np.random.default_rng(3)
    users = [
        user(
            f"u{n}",
            [{"item_id": str(i)} for i in rng.choice(list("abcdez"), n % 5)],
            [("weekday", "west"), ("weekend", "")],
        )
        for n in range(12)
    ]
    together = made(defaults, users)
    monkeypatch.setattr(lists, "MAX_SCORES", 1)  # one list at a time
    assert made(defaults, users[::-1]) == together
    assert len(together) == 24


@given(st.lists(st.integers(1, 5), max_size=12), st.integers(1, 6), st.integers(1, 4))
def test_lists_are_cut_into_runs_within_both_bounds(lists_per_user, most, most_users):
    user = np.repeat(np.arange(len(lists_per_user))[::-1], lists_per_user)  # ids need not ascend
    runs = list(at_a_time(user, most, most_users))
    assert [n for run in runs for n in range(run.start, run.stop)] == list(range(len(user)))
    assert all(run.stop - run.start <= most and len(set(user[run])) <= most_users for run in runs)
    for run, after in pairwise(runs):  # no run ends before it has to
        assert run.stop - run.start == most or len({*user[run], user[after.start]}) > most_users


STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "item_id": st.sampled_from(list("abcdez")),
            "region": st.sampled_from([None, *REGIONS]),
            "lat": st.sampled_from([None, 0.0]),
            "lon": st.just(0.004),
        }
    ),
    max_size=6,
)


@given(
    histories=st.lists(st.tuples(STEPS, st.sets(st.sampled_from(list("abcdez")))), min_size=1, max_size=4),
    daypart=st.sampled_from(list(DAYPARTS)),
    region=st.sampled_from(["", "east", "west", "atlantis"]),
    k=st.integers(1, 6),
    near_m=st.sampled_from([50.0, 500.0]),
)
def test_every_list_agrees_with_the_oracle(defaults, histories, daypart, region, k, near_m):
    users = [user(f"u{n}", steps, [(daypart, region)], sorted(gone)) for n, (steps, gone) in enumerate(histories)]
    found = made(defaults, users, k=k, near_m=near_m, candidates=2)
    scorer = PlainScorer(catalogue(ITEMS, EVENTS), WEIGHTS)
    known_region = region if region in REGIONS else ""
    for each, (steps, gone) in zip(users, histories, strict=True):
        allowed = may_stand(ITEMS, EVENTS, steps, daypart, known_region, gone, max(k, 2), near_m)
        expected = best(plain_parts(scorer, steps, SLOTS[daypart]), allowed, k)
        rows = found[each["user_id"], daypart, region]
        assert [(row["item_id"], row["score"]) for row in rows] == expected
