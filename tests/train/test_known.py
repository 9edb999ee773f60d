"""What may be known when: steps before a moment, against a plain count."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chronotope.train.known import known_before
from tests.train import small

SECONDS = st.lists(st.integers(0, 5), max_size=9).map(sorted)  # few of them, so that several are the same


@given(st.lists(SECONDS, min_size=1, max_size=4), st.data())
def test_steps_strictly_before_a_moment_are_counted(histories, data):
    rows = [small.history(f"u{n}", [0] * len(at_s), at_s) for n, at_s in enumerate(histories)]
    asked = data.draw(st.lists(st.tuples(st.integers(0, len(rows) - 1), st.integers(-1, 6)), max_size=8))
    user, at_s = (np.array([pair[k] for pair in asked], dtype) for k, dtype in ((0, np.int64), (1, np.float64)))
    found = known_before(small.users(rows, small.catalogue()), user, at_s)
    assert found.tolist() == [sum(second < moment for second in histories[u]) for u, moment in asked]
