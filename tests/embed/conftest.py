"""A tiny random BERT in a folder, for what needs files but not meaning, and the shipped encoder."""

from __future__ import annotations

import shutil

import pytest
import torch
from transformers import AutoConfig, AutoModel

from chronotope.embed.encoder import load_encoder
from tests.oracles.embed import MODEL_FOLDER


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """Two layers of 16 numbers with the shipped vocabulary: loads in milliseconds."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    config = AutoConfig.from_pretrained(MODEL_FOLDER)
    config.update({"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32})
    torch.manual_seed(7)
    AutoModel.from_config(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        shutil.copy(MODEL_FOLDER / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def tiny(defaults, tiny_folder):
    """The shipped settings with the tiny model, on the CPU."""
    section = defaults.embed.model_copy(update={"model": str(tiny_folder), "device": "cpu", "batch_size": 4})
    return defaults.model_copy(update={"embed": section})


@pytest.fixture(scope="session")
def encoder(defaults):
    return load_encoder(defaults.embed, "cpu")


@pytest.fixture(scope="session")
def tiny_encoder(tiny):
    return load_encoder(tiny.embed, "cpu")
