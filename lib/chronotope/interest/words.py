"""Words of a text: Unicode and case folded, stop words left out, Chinese cut into words."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from importlib import resources
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Longer runs are keys, hashes and encoded files, not words; one of 1 MB would be a term of 1 MB in every table.
MAX_TERM_CHARS = 64

# Diacritics of the Latin, Greek and Cyrillic alphabets, Hebrew points, Arabic vowel signs and tatweel, soft hyphens and
# invisible joiners: people search without them. Vowel signs of Indic and Thai script are letters in all but name.
STRIPPED = re.compile("[\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u065f\u0670\u00ad\u200e\u200f\u2060\ufeff]+")
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
HAS_HAN = re.compile(f"[{HAN}]")
# jieba's Viterbi copies its path at every character: 333,333 of them without a break (1 MB) take it
# hours, and in pieces two seconds. No sentence goes on for 100 characters without punctuation.
HAN_OR_OTHER = re.compile(f"[{HAN}]{{1,100}}|[^{HAN}]+")
ASCII_WORD = re.compile("[a-z0-9]+")
# What `fold` and ASCII_WORD do to ASCII bytes: letters in lower case, digits, and spaces for the rest.
ASCII_FOLDED = bytes(ord(chr(byte).lower()) if chr(byte).isalnum() and byte < 128 else 32 for byte in range(256))

# `\w` knows letters and digits but not the combining marks that Indic words go on with. U+FE00 and up (emoji
# variation selectors) and U+20D0 to U+20FF (keycaps) are marks too, but of no script.
MARKS = "".join(
    letter
    for letter in map(chr, (*range(0x300, 0x1E00), *range(0xA800, 0xAC00)))
    if unicodedata.category(letter)[0] == "M"
)
WORD = re.compile(rf"[^\W_](?:[^\W_]|[{MARKS}])*")


def fold(text: str) -> str:
    """Text in which what people see as the same word is the same string: NFKC, caseless, without diacritics.

    Case is folded after decomposition, for some capitals only appear there (㎒ is MHz).

    >>> fold("Ｃａｆé STRAẞE ㎒ Ёлка")
    'cafe strasse mhz елка'
    """
    if text.isascii():
        return text.lower()
    caseless = unicodedata.normalize("NFKD", text).casefold()
    return unicodedata.normalize("NFKC", STRIPPED.sub("", caseless))


def words(text: str) -> list[str]:
    """The words of a text in order, digits kept inside them, stop words and lengths not looked at yet.

    A run of Han characters is cut into Chinese words by jieba; scripts without spaces that it does not know (Thai,
    Lao, Khmer) give one word per run.

    >>> words("USB3.0 hub_4port, 无线蓝牙耳机2024款 🎧")
    ['usb3', '0', 'hub', '4port', '无线', '蓝牙', '耳机', '2024', '款']
    """
    folded = fold(text)
    if folded.isascii():
        return ASCII_WORD.findall(folded)
    found = WORD.findall(folded)
    if not HAS_HAN.search(folded):
        return found
    return [word for run in found for word in cut_han(run)]


def cut_han(run: str) -> Iterator[str]:
    """The words of a run of letters, in which the Han characters are cut by jieba."""
    for piece in HAN_OR_OTHER.findall(run):
        if HAS_HAN.match(piece):
            yield from segmenter().cut(piece)
        else:
            yield piece


@functools.cache
def segmenter() -> Any:
    """The Chinese word cutter, loaded once per process and only when a text needs it (about a second).

    jieba's own loading goes through a cache file in the shared temporary folder, which any user of the machine could
    have written, and logs to stderr; building the prefix dictionary from the package's file does neither.
    """
    import jieba

    tokenizer = jieba.Tokenizer()
    tokenizer.FREQ, tokenizer.total = tokenizer.gen_pfdict(tokenizer.get_dict_file())
    tokenizer.initialized = True
    return tokenizer


@functools.cache
def stop_words() -> frozenset[str]:
    """The English and Chinese stop words that come with the package."""
    folder = resources.files("chronotope.interest")
    lists = [(folder / f"stopwords_{language}.txt").read_text(encoding="utf-8") for language in ("en", "zh")]
    return frozenset(line for text in lists for line in text.splitlines() if line and not line.startswith("#"))


def terms_of(text: str, min_token_chars: int) -> list[str]:
    """The terms of a text: its words of `min_token_chars` to 64 characters that are no stop words, with repeats.

    >>> terms_of("The cat and the other CAT", 2)
    ['cat', 'cat']
    """
    stops = stop_words()
    return [word for word in words(text) if min_token_chars <= len(word) <= MAX_TERM_CHARS and word not in stops]


def tokenise(texts: pa.Array, min_token_chars: int) -> pa.ListArray:
    """The terms of each text, in order with repeats, dictionary-encoded: one list per text, null for null.

    Each distinct text is looked at once, however many items have it.

    >>> tokenise(pa.array(["The cat sat", None, "!", "The cat sat"]), 2).to_pylist()
    [['cat', 'sat'], None, [], ['cat', 'sat']]
    """
    encoded = texts.dictionary_encode()
    lists = distinct_terms(encoded.dictionary, min_token_chars)
    return lists if len(lists) == len(texts) else lists.take(encoded.indices)


def distinct_terms(texts: pa.StringArray, min_token_chars: int) -> pa.ListArray:
    """What `tokenise` gives for texts without nulls."""
    is_ascii = pc.string_is_ascii(texts)
    lists = ascii_terms(texts.filter(is_ascii), min_token_chars)
    if len(lists) == len(texts):
        return lists
    others = [terms_of(text, min_token_chars) for text in texts.filter(pc.invert(is_ascii)).to_pylist()]
    found = pa.concat_arrays([lists, pa.array(others, lists.type)])
    # The ASCII texts come first there, then the others, each in their order.
    return found.take(pc.sort_indices(pc.array_sort_indices(pc.invert(is_ascii).cast(pa.uint8()))))


def ascii_terms(texts: pa.Array, min_token_chars: int) -> pa.ListArray:
    """What `tokenise` gives for ASCII texts without nulls: whole columns, each distinct word looked at once."""
    _, offsets, letters = texts.buffers()
    folded = pa.py_buffer(letters.to_pybytes().translate(ASCII_FOLDED) if letters else b"")
    words = pc.ascii_split_whitespace(pa.StringArray.from_buffers(len(texts), offsets, folded, offset=texts.offset))
    encoded = words.flatten().dictionary_encode()
    chars = pc.binary_length(encoded.dictionary)
    wanted = pc.and_(pc.greater_equal(chars, min_token_chars), pc.less_equal(chars, MAX_TERM_CHARS))
    wanted = pc.and_not(wanted, pc.is_in(encoded.dictionary, value_set=pa.array(sorted(stop_words()))))
    kept = wanted.take(encoded.indices)
    before = np.concatenate([[0], np.cumsum(kept.to_numpy(zero_copy_only=False), dtype=np.int32)])
    bounds = before[words.offsets.to_numpy() - words.offsets[0].as_py()]
    return pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), encoded.filter(kept))
