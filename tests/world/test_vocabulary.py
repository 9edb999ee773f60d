from __future__ import annotations

import itertools

import pytest

from chronotope.slots import daypart_names
from chronotope.world.cities import CITIES, PARTNERS
from chronotope.world.sessions import START_S, WINDOW_DAYPARTS, WINDOW_HOURS, WINDOW_WEIGHTS
from chronotope.world.vocabulary import DAYPARTS, TOPICS, suitability


@pytest.mark.parametrize("language", ["words", "words_zh"])
def test_no_word_tells_two_topics(language):
    words = [word for topic in TOPICS for word in getattr(topic, language).split()]
    assert len(words) == len(set(words)) == 10 * len(TOPICS)


def test_every_daypart_has_topics_of_its_own_and_they_differ():
    suits = [tuple(suitability(daypart)) for daypart in range(len(DAYPARTS))]
    assert len(set(suits)) == len(DAYPARTS)


def test_dayparts_are_those_of_the_settings(defaults):
    assert list(DAYPARTS) == list(defaults.night.dayparts)


@pytest.mark.parametrize(("weekend", "weekday"), [(0, 0), (0, 4), (1, 5), (1, 6)])
def test_a_session_lies_in_one_daypart(defaults, weekend, weekday):
    names = daypart_names(defaults.night.dayparts)
    for hour, daypart in zip(WINDOW_HOURS, WINDOW_DAYPARTS[weekend], strict=True):
        last_hour = hour + (START_S + 40 * 60 - 1) // 3600
        assert {names[24 * weekday + h] for h in (hour, last_hour)} == {DAYPARTS[daypart]}


def test_windows_leave_room_for_a_gap_and_weigh_one_on_average():
    assert all(b - a >= 2 for a, b in itertools.pairwise(WINDOW_HOURS))
    assert [sum(weights) for weights in WINDOW_WEIGHTS] == pytest.approx([len(WINDOW_HOURS)] * 2)


def test_travellers_go_to_another_city():
    assert all(partner != number for number, partner in enumerate(PARTNERS))
    assert len({city.name for city in CITIES}) == len(CITIES)
