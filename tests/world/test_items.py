from __future__ import annotations

import csv
import sys

import pytest

from chronotope.world.cities import CITIES
from chronotope.world.items import CATALOGUE
from chronotope.world.vocabulary import TOPICS


@pytest.fixture(scope="module")
def catalogue(written):
    csv.field_size_limit(sys.maxsize)
    with (written.folder / "items" / "items.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def chinese(text):
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


def test_the_catalogue_is_one_csv_file_with_a_header(catalogue):
    assert tuple(catalogue[0]) == CATALOGUE
    assert [row["item"] for row in catalogue] == [f"i{number:07d}" for number in range(430)]


def test_some_items_are_not_described(catalogue):
    untold = [row["item"] for row in catalogue if not row["title"] and not row["description"]]
    brief = [row["item"] for row in catalogue if row["title"] and not row["description"]]
    assert untold == ["i0000017", "i0000117", "i0000217", "i0000317", "i0000417"]
    assert brief == [f"i{number:07d}" for number in range(8, 430, 50)]


def test_one_text_is_very_long(catalogue):
    lengths = sorted(len(row["description"]) for row in catalogue)
    assert lengths[-1] > 20_000
    assert lengths[-2] < 300


def test_texts_are_in_their_language(catalogue):
    told = [row for row in catalogue if row["title"]]
    assert {row["language"] for row in told} == {"en", "zh"}
    assert all(chinese(row["title"]) == (row["language"] == "zh") for row in told)
    assert all(chinese(row["description"]) == (row["language"] == "zh") for row in told if row["description"])


def test_shanghai_is_mostly_chinese_and_the_rest_is_not(catalogue):
    shares = {
        there: [row["language"] == "zh" for row in catalogue if (row["city"] == "Shanghai") == there]
        for there in (True, False)
    }
    assert sum(shares[True]) / len(shares[True]) > 0.6
    assert sum(shares[False]) / len(shares[False]) < 0.2


def test_words_of_a_text_are_those_of_its_category(catalogue):
    words = {topic.name: set(topic.words.split()) for topic in TOPICS}
    english = [row for row in catalogue if row["language"] == "en" and row["description"]]
    for row in english:
        listed = row["description"].split(": ", 1)[1].split(". ")[0].rstrip(". ").split(", ")
        assert len(listed) == 12
        assert set(listed) <= words[row["category"]]


def test_items_stand_in_their_city_or_online(catalogue):
    centre = {city.name: (city.lat, city.lon) for city in CITIES}
    online = {topic.name for topic in TOPICS if topic.online}
    for row in catalogue:
        assert (row["city"] == "") == (row["lat"] == "") == (row["lon"] == "") == (row["category"] in online)
        if row["city"]:
            lat, lon = centre[row["city"]]
            assert abs(float(row["lat"]) - lat) < 0.06
            assert abs(float(row["lon"]) - lon) < 0.1


def test_every_city_has_every_topic(catalogue):
    shelves = {(row["city"], row["category"]) for row in catalogue}
    assert len(shelves) == 7 * 10 + 3
