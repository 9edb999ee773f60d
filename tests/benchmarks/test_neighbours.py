"""Item neighbours, against plain Python over sets of users."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from benchmarks.neighbours import ItemNeighbours
from tests.train.small import catalogue, history, queries, users

BOUGHT = [[0, 1, 1, 2], [1, 2], [2, 2, 3], [5]]  # by users of the past; nobody bought item 4
ASKED = [[0, 0, 3], [4], [2, 1, 5]]


def past():
    known = catalogue(6)
    pairs = [(user, item) for user, items in enumerate(BOUGHT) for item in items]
    return known, sparse.csr_matrix((np.ones(len(pairs)), tuple(zip(*pairs, strict=True))), shape=(4, 6))


def plain(items: list[int], shrink: float) -> list[float]:
    buyers = [{user for user, bought in enumerate(BOUGHT) if item in bought} for item in range(6)]
    scores = []
    for item in range(6):
        score = 1e-5 * len(buyers[item]) / len(BOUGHT)
        for other in items:
            both = len(buyers[item] & buyers[other])
            score += both / ((len(buyers[item]) * len(buyers[other])) ** 0.5 + shrink) if both else 0.0
        scores.append(score)
    return scores


@pytest.mark.parametrize("shrink", [0.0, 2.0])
def test_scores_add_up_the_cosines_of_what_was_bought(shrink):
    known, met = past()
    of = users([history(f"u{n}", items) for n, items in enumerate(ASKED)], known)
    asked = queries(*[{"user": n, "known_steps": len(items)} for n, items in enumerate(ASKED)], {"user": 0})
    scorer = ItemNeighbours(known, met, shrink)
    found = scorer.score(scorer.encode(of, asked), of, asked)
    np.testing.assert_allclose(found, [plain(items, shrink) for items in [*ASKED, []]], rtol=1e-5)


def test_steps_after_the_known_ones_say_nothing():
    known, met = past()
    scorer = ItemNeighbours(known, met, 0.0)
    long, short = (users([history("u", items)], known) for items in ([0, 3, 5], [0, 3]))
    asked = queries({"known_steps": 2})
    np.testing.assert_array_equal(scorer.score(None, long, asked), scorer.score(None, short, asked))
