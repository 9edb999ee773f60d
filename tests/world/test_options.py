from __future__ import annotations

import pytest

from chronotope.errors import UsageError
from chronotope.ingest.rules import REASONS
from chronotope.world.options import BROKEN, SHELVES
from tests.world.sizes import sized


@pytest.mark.parametrize(
    ("name", "value"),
    [("users", 0), ("items", SHELVES - 1), ("days", 0), ("events_per_user_day", 8.1), ("late_share", -0.1),
     ("broken_share", 1.5)],
)  # fmt: skip
def test_a_size_out_of_range_is_named(name, value):
    with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} {value}: give "):
        sized(**{name: value})


def test_all_faults_are_named_at_once():
    with pytest.raises(UsageError) as caught:
        sized(users=0, days=-1, late_share=0.9, duplicate_share=0.9)
    assert all(part in str(caught.value) for part in ("--users", "--days", "shares add up to"))


def test_limits_are_allowed():
    assert sized(users=1, items=SHELVES, days=1, late_share=0, too_late_share=0, duplicate_share=0, broken_share=0)
    assert sized(late_share=1, too_late_share=0, duplicate_share=0, broken_share=0).faulty_share == 1


def test_every_kind_of_broken_record_is_a_rule_of_ingest():
    assert {rule for rules in BROKEN.values() for rule in rules} < set(REASONS)
    assert all(rules == sorted(rules) for rules in BROKEN.values())


def test_the_first_day_counts_from_1970():
    assert sized().first_day == 20486
