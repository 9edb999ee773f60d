import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.errors import ModelError
from chronotope.recommend.columns import no_history
from chronotope.recommend.ranking import largest, ranked, rounded
from chronotope.train.scoring import Queries
from tests.oracles.recommend import best
from tests.recommend.world import PlainScorer, catalogue, item

NOBODY = no_history("u")


def queries(n=1):
    zeros = np.zeros(n, np.int64)
    return Queries(zeros, zeros, np.zeros(n), zeros, zeros - 1, np.zeros(n, bool))


def ranked_ids(weights, mask=None, shortlist=50, k=3):
    ids = [f"i{j:02d}" for j in range(len(weights))]
    scorer = PlainScorer(catalogue([item(i) for i in ids]), tuple(weights))
    mask = np.ones((1, len(weights)), bool) if mask is None else np.array([mask])
    lists = ranked(scorer, scorer.encode(NOBODY, queries()), NOBODY, queries(), mask, shortlist, k)
    return [ids[j] for j in lists.items[0][lists.there[0]]], lists


def test_the_best_come_first_and_ties_by_item_id():
    assert ranked_ids([1.0, 2.0, 2.0, 0.5])[0] == ["i01", "i02", "i00"]


def test_all_equal_scores_give_the_first_ids_even_when_the_shortlist_cuts_the_tie():
    assert ranked_ids([1.0] * 40, shortlist=3)[0] == ["i00", "i01", "i02"]


def test_scores_closer_than_the_rounding_tie():
    assert ranked_ids([1.0, 1.0 + 2e-7])[0] == ["i00", "i01"]


def test_a_masked_item_is_never_listed_and_the_list_gets_shorter():
    ids, lists = ranked_ids([1.0, 9.0, 2.0], mask=[True, False, True])
    assert ids == ["i02", "i00"]
    assert lists.there.tolist() == [[True, True, False]]


def test_k_beyond_the_catalogue_lists_everything():
    assert ranked_ids([1.0, 2.0], k=10)[0] == ["i01", "i00"]


def test_a_shortlist_below_k_is_widened_to_k():
    assert len(ranked_ids([1.0, 2.0, 3.0, 4.0], shortlist=1, k=3)[0]) == 3


def test_parts_add_up_to_the_score_exactly_as_written():
    weights = np.random.default_rng(1).normal(size=30)
    _, lists = ranked_ids(weights, k=10)
    np.testing.assert_allclose(sum(lists.parts.values()), lists.scores, atol=1e-12)
    assert (np.diff(lists.scores[0]) <= 0).all()


def test_minus_zero_is_written_as_zero():
    assert not np.signbit(rounded(np.array([-1e-9], np.float32)))[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_is_refused(value):
    with pytest.raises(ModelError, match="model plain gives a score that is no number"):
        ranked_ids([1.0, value, 2.0])


@given(
    st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 2.0]), min_size=1, max_size=30),
    st.integers(1, 12),
    st.integers(1, 12),
    st.randoms(use_true_random=False),
)
def test_the_list_is_the_true_top_k_of_the_candidates(weights, k, shortlist, random):
    mask = [random.random() < 0.6 for _ in weights]
    mask[random.randrange(len(mask))] = True
    ids, lists = ranked_ids(weights, mask, shortlist, k)
    parts = {f"i{j:02d}": {"interest": weight} for j, weight in enumerate(weights)}
    expected = best(parts, {f"i{j:02d}" for j, allowed in enumerate(mask) if allowed}, k)
    assert list(zip(ids, lists.scores[0][lists.there[0]], strict=True)) == expected


@given(st.integers(1, 20), st.integers(1, 25), st.integers(0, 2**31))
def test_largest_agrees_with_sorting(n, size, seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, (4, n)).astype(np.float32)
    mask = rng.random((4, n)) < 0.7
    found = largest(scores, mask, size)
    assert found.shape == (4, min(size, n))
    for row in range(4):
        order = sorted(np.flatnonzero(mask[row]), key=lambda j: (-scores[row, j], j))[:size]
        assert {j for j in found[row] if mask[row, j]} == set(order)


class Rough(PlainScorer):
    """Scores that are the sums of the parts within 1e-4 only, as `Scorer` allows: too low for the best item."""

    def score(self, states, users, queries, among=None):
        exact = super().score(states, users, queries, among)
        return exact + np.where(exact == exact.max(), -9e-5, 9e-5).astype(np.float32)


def test_scores_that_are_off_by_as_much_as_they_may_be_change_no_list():
    weights = 1.0 - 3e-5 * np.random.default_rng(1).permutation(40)
    scorer = Rough(catalogue([item(f"i{j:02d}") for j in range(40)]), tuple(weights))
    asked = (scorer.encode(NOBODY, queries()), NOBODY, queries())
    true = np.argsort(-weights)[:3]
    assert true[0] not in np.argsort(-scorer.score(*asked)[0])[:3]  # so the best three by score are others
    assert ranked(scorer, *asked, np.ones((1, 40), bool), 20, 3).items[0].tolist() == true.tolist()


class Counting(PlainScorer):
    """Keeps how many items it was asked to score."""

    def score(self, states, users, queries, among=None):
        scores = super().score(states, users, queries, among)
        self.scored = scores.shape[1]
        return scores


@pytest.mark.parametrize(("n_allowed", "n_scored"), [(3, 3), (20, 20), (21, 40)])
def test_where_few_items_may_stand_the_others_are_not_scored(n_allowed, n_scored):
    scorer = Counting(catalogue([item(f"i{j:02d}") for j in range(40)]), tuple(np.arange(40.0)))
    mask = np.zeros((1, 40), bool)
    mask[0, 5 : 5 + n_allowed] = True
    lists = ranked(scorer, scorer.encode(NOBODY, queries()), NOBODY, queries(), mask, 10, 2)
    assert lists.items[0].tolist() == [4 + n_allowed, 3 + n_allowed]
    assert scorer.scored == n_scored
