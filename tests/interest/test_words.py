"""What counts as a word, without Spark."""

import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotope.interest import words
from chronotope.interest.words import MAX_TERM_CHARS, fold, stop_words, terms_of, tokenise


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  \x00 !? ...", []),
        ("The cats and the CAT", ["cats", "cat"]),
        ("don't we'll it's", []),
        ("usb3 mp3 4k 500ml", ["usb3", "mp3", "4k", "500ml"]),
        ("snake_case-word", ["snake", "case", "word"]),
        ("Ｆｕｌｌ ｗｉｄｔｈ ﬁsh", ["full", "width", "fish"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("café cafe\u0301 CAFÉ", ["cafe", "cafe", "cafe"]),
        ("İstanbul in\u00adter\u00adest", ["istanbul", "interest"]),
        ("🎧 headphones👍🏽 1️⃣", ["headphones"]),
        ("שָׁלוֹם עולם", ["שלום", "עולם"]),
        ("\u200fعَرَبِيّ\u200e", ["عربي"]),
        ("हिन्दी समाचार", ["हिन्दी", "समाचार"]),
        ("한국어 がん", ["한국어", "がん"]),
    ],
)
def test_terms(text, terms):
    assert terms_of(text, 2) == terms


def test_chinese_gives_words_and_not_the_sentence():
    assert terms_of("我们喜欢无线蓝牙耳机，和北京的咖啡馆。", 2) == ["喜欢", "无线", "蓝牙", "耳机", "北京", "咖啡馆"]


def test_chinese_and_latin_in_one_run_are_split():
    assert terms_of("华为Mate40手机", 2) == ["华为", "mate40", "手机"]


def test_min_token_chars_counts_letters():
    assert terms_of("a bc def 茶 咖啡", 1) == ["bc", "def", "茶", "咖啡"]
    assert terms_of("x bc def 咖啡", 3) == ["def"]


def test_longest_term():
    longest = "x" * MAX_TERM_CHARS
    assert terms_of(f"{longest} {longest}x", 2) == [longest]


def test_stop_words_are_written_as_they_are_looked_up():
    assert {"the", "我们"} <= stop_words()
    assert all(fold(word) == word and " " not in word for word in stop_words())


@pytest.mark.parametrize(
    "text", ["ab " * 333_333, "x" * 1_000_000, "e\u0301" * 333_333, "是" * 333_333, "🎧" * 250_000]
)
def test_a_megabyte_takes_bounded_time(text):
    # The unbroken Han run took hours before it was cut in pieces; seconds on an idle core, a minute on a busy one.
    started = time.process_time()
    assert all(len(term) <= MAX_TERM_CHARS for term in terms_of(text, 2))
    assert time.process_time() - started < 60


@given(st.text())
def test_folding_twice_changes_nothing_of_the_terms(text):
    once = terms_of(text, 1)
    assert all(term and " " not in term for term in once)
    assert [fold(term) for term in once] == once


@given(st.text(st.characters(codec="ascii")))
def test_ascii_path_is_no_special_case(text):
    # A letter outside ASCII, alone at the end, sends the rest along the general path.
    assert [*terms_of(text, 2), "жж"] == terms_of(f"{text} жж", 2)


def test_tokenise_keeps_rows_and_nulls():
    texts = pa.array(["Red shoes, red hat", None, "the", "咖啡"])
    assert tokenise(texts, 2).to_pylist() == [["red", "shoes", "red", "hat"], None, [], ["咖啡"]]


TEXTS = st.lists(st.none() | st.text(st.characters(codec="ascii")) | st.text() | st.just("The red-hat " + "x" * 65))


@given(TEXTS, st.integers(0, 3), st.integers(1, 3))
def test_columns_of_texts_have_the_terms_of_each_text(texts, skipped, min_token_chars):
    column = pa.array(texts, pa.string()).slice(skipped)
    expected = [None if text is None else terms_of(text, min_token_chars) for text in texts[skipped:]]
    assert tokenise(column, min_token_chars).to_pylist() == expected


def test_the_segmenter_is_loaded_once_and_quietly(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    words.segmenter.cache_clear()
    terms_of("咖啡馆", 2)
    terms_of("图书馆", 2)
    assert words.segmenter.cache_info().misses == 1
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""
