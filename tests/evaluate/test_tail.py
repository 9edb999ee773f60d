from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from chronotope.evaluate.tail import rank_tail, tail_queries
from chronotope.tables import TABLES
from chronotope.tables.runs import RANKS
from chronotope.train.blend import KINDS, START, CountBlend, yardsticks
from chronotope.train.histories import histories
from tests.rows import NIGHT, frame
from tests.train.small import MONDAY_S, catalogue, counted, history

START_OF_TAIL = dt.datetime(2012, 10, 29, tzinfo=dt.UTC)  # a Monday
HOUR = dt.timedelta(hours=1)


def log(*rows):
    """(user, item, hours since the tail began) and more columns as rows of events; the ids follow the order."""
    events = []
    for n, (user, item, hour, *more) in enumerate(rows):
        at = START_OF_TAIL + hour * HOUR
        row = {"event_id": f"e{n:03d}", "user_id": user, "item_id": item, "occurred_at": at, "slot": int(hour % 168)}
        events.append(row | (more[0] if more else {}))
    return events


PAST = [("u", "i01", -48), ("u", "i02", -47), ("u", "i01", -24), ("v", "i03", -20), ("w", "i04", -3)]
TAIL = [("u", "i01", 8), ("u", "i02", 9), ("u", "i05", 33), ("v", "new", 10), ("stranger", "i00", 12)]


def scorers():
    known = counted(catalogue(), [history("u", [1, 2, 1, 3])])
    return [*yardsticks(known), CountBlend(known, dict.fromkeys(KINDS, START))]


def sessions_of(spark, events):
    """Every user's events as one session."""
    fields = TABLES["sessions"].schema()["steps"].dataType.elementType.names
    by_user = {}
    for event in sorted(events, key=lambda event: (event["occurred_at"], event["event_id"])):
        by_user.setdefault(event["user_id"], []).append(tuple(({"action": "view"} | event).get(f) for f in fields))
    rows = [{"session_key": user, "user_id": user, "steps": steps} for user, steps in by_user.items()]
    return frame(spark, "sessions", rows)


def ranked(spark, settings, events, load=scorers, items=()):
    past = histories(sessions_of(spark, events), 1000)
    frames = frame(spark, "events", events), frame(spark, "items", list(items))
    made = rank_tail(past, *frames, START_OF_TAIL, load, settings, NIGHT)
    RANKS.check(made)
    return {(r["query_id"], r["model"], r["protocol"]): r for r in made.collect()}


@pytest.fixture(scope="module")
def small(_spark_session, defaults):
    return ranked(_spark_session, defaults, log(*PAST, *TAIL))


def test_every_query_has_a_row_for_every_scorer_and_protocol(small):
    models = [scorer.model_id for scorer in scorers()]
    asked = [f"e{n:03d}" for n in range(5, 10)]
    assert set(small) == {(q, m, p) for q in asked for m in models for p in ("tail_next", "tail_morning")}
    assert {row["user_id"] for row in small.values()} == {"u", "v", "stranger"}


def test_a_truth_that_no_scorer_knows_is_a_miss(small):
    assert {row["rank"] for key, row in small.items() if key[0] == "e008"} == {7}
    assert {row["n_candidates"] for row in small.values()} == {6}


def test_what_is_known_differs_by_protocol(small):
    # At 9:00 u has just been at i01; on the morning of that day the last known step was i01 of the day before.
    assert small["e006", "markov", "tail_next"]["top"][0] == "i02"
    assert small["e006", "markov", "tail_morning"]["top"][0] == "i01"  # popularity is all that is left
    # Two days on, the morning knows the evening before.
    assert small["e007", "last_item", "tail_morning"]["top"][0] == "i02"
    assert small["e006", "last_item", "tail_morning"]["top"][0] == "i01"


def test_the_top_is_as_long_as_the_catalogue_allows_and_holds_the_truth_at_its_rank(small):
    for row in small.values():
        assert sorted(row["top"]) == [f"i{n:02d}" for n in range(6)]
    first = small["e005", "user_frequency", "tail_next"]
    assert (first["rank"], first["top"][0], first["item_id"]) == (1, "i01", "i01")


def test_a_stranger_is_ranked_by_popularity(small):
    for protocol in ("tail_next", "tail_morning"):
        of_blend, of_popularity = (small["e009", model, protocol] for model in ("counts", "popularity"))
        assert (of_blend["top"], of_blend["user_kind"]) == (of_popularity["top"], "new")


@pytest.mark.parametrize("protocol", ["tail_next", "tail_morning"])
def test_nothing_from_after_a_query_changes_its_rank(spark, defaults, small, protocol):
    """The future is poisoned with another habit; for a morning the query's own day is the future."""
    poison = [("u", "i04", hour) for hour in (9.5, 10, 34, 35, 40)] + [("v", "i05", 11)]
    if protocol == "tail_morning":
        poison += [("u", "i04", hour) for hour in (1, 2, 3, 25, 26)] + [("v", "i05", 5)]
    found = ranked(spark, defaults, log(*PAST, *TAIL, *poison))
    unmoved = ("e005", "e006", "e008", "e009")  # e007 is asked after some of the poison
    for (query, model, of_protocol), row in small.items():
        if of_protocol == protocol and query in unmoved:
            assert found[query, model, protocol] == row


def test_where_nobody_comes_back_what_was_met_ranks_last_for_every_scorer(spark, defaults, small):
    train = defaults.train.model_copy(update={"repeats": False})
    found = ranked(spark, defaults.model_copy(update={"train": train}), log(*PAST, *TAIL))
    assert set(found) == set(small)
    for (query, model, protocol), row in found.items():
        if query in ("e005", "e006"):  # of i01 and i02, which u has met
            assert row["rank"] == 6
            assert set(row["top"][-2:]) == {"i01", "i02"}
        if query in ("e008", "e009"):  # v knows i03, the stranger nothing
            before = small[query, model, protocol]
            assert row["rank"] == before["rank"]
            assert row["top"] == [item for item in before["top"] if query == "e009" or item != "i03"] + (
                ["i03"] if query == "e008" else []
            )


def test_what_lists_hide_ranks_last_for_every_scorer(spark, defaults):
    """Of what u has bought nobody is asked to name it again; what u has only looked at stays a candidate."""
    events = log(("u", "i01", -24, {"action": "buy"}), *PAST[:3], *TAIL[:2])
    hidden = {"seen": "hide", "hide_actions": ["buy"]}
    found = ranked(
        spark, defaults.model_copy(update={"recommend": defaults.recommend.model_copy(update=hidden)}), events
    )
    assert {row["rank"] for (query, _, _), row in found.items() if query == "e004"} == {6}  # i01
    assert {row["top"][-1] for row in found.values()} == {"i01"}
    assert found["e005", "user_frequency", "tail_next"]["rank"] == 1  # i02


def test_of_two_events_in_one_second_neither_is_known_to_the_other(spark, defaults):
    found = ranked(spark, defaults, log(*PAST, ("u", "i04", 8), ("u", "i05", 8)))
    tops = [found[query, "last_item", "tail_next"]["top"][0] for query in ("e005", "e006")]
    assert tops == ["i01", "i01"]


def test_slices_come_from_the_past_the_place_and_the_item(spark, defaults):
    here, near, far = ({"lat": 40.0, "lon": lon} for lon in (-74.0, -74.001, -73.0))
    past = [("u", "i01", -200 + n, here) for n in range(12)]
    events = log(*past, ("u", "i02", 8, near), ("u", "i03", 9, far), ("u", "i04", 10))
    items = [{"item_id": "i02", "language": "Hani"}, {"item_id": "i04", "language": None}]
    found = ranked(spark, defaults, events, items=items)
    kinds = {q: (r["user_kind"], r["distance_kind"], r["language"]) for (q, m, p), r in found.items()
             if (m, p) == ("counts", "tail_next")}  # fmt: skip
    assert kinds == {"e012": ("light", "near", "Hani"), "e013": ("light", "far", "unknown"),
                     "e014": ("light", "unknown", "unknown")}  # fmt: skip


def test_the_sample_is_bounded_stable_and_without_searches(spark):
    rows = log(*[("u", f"i{n:02d}", n) for n in range(40)], ("u", None, 1, {"query": "tea"}))
    items = frame(spark, "items", [])

    def asked(events, most):
        made = tail_queries(frame(spark, "events", events), items, START_OF_TAIL, most).collect()
        return [query for row in made for query in row["asked_query_id"]]

    some = asked(rows, 10)
    assert len(some) == 10
    assert len(asked(rows, 100)) == 40
    assert set(some) & {row["event_id"] for row in rows[:20]} <= set(asked(rows[:20], 10))


def test_a_constant_scorer_earns_no_more_than_chance(spark, defaults):
    def load():
        return [Constant()]

    found = ranked(spark, defaults, log(*PAST, *TAIL), load)
    assert {row["rank"] for row in found.values()} <= {6, 7}


class Constant:
    model_id = "constant"

    def __init__(self):
        self.catalogue = catalogue()

    def encode(self, users, queries):
        return np.empty((len(queries.user), 0), np.float32)

    def score(self, states, users, queries):
        return np.zeros((len(queries.user), 6), np.float32)


def test_the_helper_and_the_tail_agree_on_the_calendar():
    assert dt.datetime.fromtimestamp(MONDAY_S, dt.UTC).weekday() == START_OF_TAIL.weekday() == 0
