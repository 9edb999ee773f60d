import numpy as np

from chronotope.recommend.columns import no_history
from chronotope.recommend.popular import Popularity
from chronotope.train.scoring import Queries
from tests.recommend.world import catalogue, event, item

ITEMS = [item("a"), item("b"), item("c")]
NOBODY = no_history("*")


def scores(events, slot=60, region=-1):
    scorer = Popularity("m", catalogue(ITEMS, events))
    zero = np.zeros(1, np.int64)
    queries = Queries(zero, zero, np.zeros(1), np.array([slot]), np.array([region]), np.zeros(1, bool))
    states = scorer.encode(NOBODY, queries)
    every = np.arange(3)[None, :]
    parts = scorer.parts(states, NOBODY, queries, every)
    assert list(parts) == ["popular"]
    np.testing.assert_array_equal(parts["popular"], scorer.score(states, NOBODY, queries))
    return parts["popular"][0]


def test_more_events_score_more():
    a, b, c = scores([event("a", 1), event("b", 5), event("c", 3)])
    assert b > c > a


def test_the_daypart_decides_where_it_has_events():
    events = [event("a", 900, daypart="weekday"), event("b", 900, daypart="weekend")]
    assert scores(events, slot=60)[0] > scores(events, slot=60)[1]
    assert scores(events, slot=130)[0] < scores(events, slot=130)[1]


def test_the_region_decides_where_it_has_events():
    events = [event("a", 900, "west"), event("b", 900, "east")]
    assert scores(events, region=1)[0] > scores(events, region=1)[1]
    assert scores(events, region=0)[0] < scores(events, region=0)[1]


def test_an_empty_region_and_daypart_rank_as_the_whole_catalogue_does():
    events = [event("a", 2, "west", "weekday"), event("b", 7, "west", "weekday")]
    assert np.argsort(-scores(events, slot=130, region=0)).tolist() == [1, 0, 2]


def test_items_never_met_have_a_finite_score():
    assert np.isfinite(scores([event("a", 1)])).all()


def test_asked_about_some_items_it_says_the_same_of_them():
    scorer = Popularity("m", catalogue(ITEMS, [event("a", 1), event("b", 5), event("c", 3)]))
    zero = np.zeros(1, np.int64)
    queries = Queries(zero, zero, np.zeros(1), np.array([60]), zero, np.zeros(1, bool))
    states, among = scorer.encode(NOBODY, queries), np.array([0, 2])
    of_all = scorer.score(states, NOBODY, queries)
    np.testing.assert_array_equal(scorer.score(states, NOBODY, queries, among), of_all[:, among])
    assert (
        scorer.parts(states, NOBODY, queries, np.array([[2, 0]]), among)["popular"].tolist()
        == of_all[:, [2, 0]].tolist()
    )
