import numpy as np
import pyarrow as pa
import pytest

from chronotope.recommend.reasons import CLAUSES, NO_REASON, clause, reasons
from chronotope.train.counts import PART_OF
from chronotope.train.memory import FEATURES


def written(parts, categories=None, dayparts=None, placed=None):
    n = len(next(iter(parts.values())))
    return reasons(
        {name: np.array(values, float) for name, values in parts.items()},
        pa.array(categories or [""] * n).dictionary_encode(),
        pa.array(dayparts or ["weekday_morning"] * n).dictionary_encode(),
        np.array(placed if placed is not None else [False] * n),
    ).to_pylist()


def test_the_two_largest_parts_make_the_sentence():
    rows = written({"habit": [3.0, 0.1], "popular": [1.0, 0.0], "near": [2.0, 0.2]})
    assert rows == [
        "You come back to it often, and it is close to where you usually are.",
        "It is close to where you usually are, and you come back to it often.",
    ]


def test_only_parts_above_zero_are_mentioned():
    assert written({"habit": [2.0, 2.0], "near": [0.0, -1.0]}) == ["You come back to it often."] * 2


def test_a_single_part_makes_a_sentence():
    assert written({"popular": [0.5]}, placed=[True]) == ["It is popular around here on weekday mornings."]


def test_when_nothing_speaks_for_it_the_sentence_says_so():
    assert written({"habit": [-1.0, 0.0], "near": [-0.5, 0.0]}) == [NO_REASON] * 2


def test_ties_go_to_the_first_name():
    assert written({"recent": [1.0], "habit": [1.0], "next": [1.0]}) == [
        "You come back to it often, and it often follows what you chose last."
    ]


def test_category_daypart_and_region_are_worded_row_by_row():
    rows = written(
        {"interest": [1.0, 1.0, 0.0], "popular": [0.5, 0.0, 1.0]},
        ["Bakery", "", "Bar"],
        ["weekend_day", "weekend_day", "weekday_evening"],
        [True, False, False],
    )
    assert rows == [
        "Bakery suits your interests, and it is popular around here on weekend days.",
        "It suits your interests.",
        "It is popular on weekday evenings.",
    ]


def test_taste_is_told_by_the_kind_of_item():
    rows = written({"taste": [1.0, 1.0]}, ["Bakery", ""])
    assert rows == [f"{kind} is the kind of thing that you choose at such times." for kind in ("Bakery", "It")]


@pytest.mark.parametrize("part", sorted({"interest", *PART_OF.values(), *FEATURES.values()}))
def test_every_part_of_every_model_has_a_clause(part):
    assert part in CLAUSES


@pytest.mark.parametrize("part", CLAUSES)
def test_every_part_has_a_clause_with_nothing_left_to_fill(part):
    text = clause(part, "Bakery", "weekend_day", True)
    assert text
    assert "{" not in text
    assert not text.startswith("the model")


def test_an_unknown_part_is_named():
    assert written({"shelf_life": [1.0]}) == ["The model values its shelf life."]


def test_a_category_with_braces_is_not_a_template():
    assert written({"interest": [1.0]}, ["{where}"]) == ["{where} suits your interests."]


def test_no_rows_give_no_sentences():
    assert written({"habit": []}) == []
