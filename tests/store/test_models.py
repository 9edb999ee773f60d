"""Model folders: what goes in comes out, damage is named, and half a model is none."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from chronotope.errors import ModelError
from chronotope.infer.workers import load_scorer, save_counts
from chronotope.store.models import (
    ABOUT,
    ARRAYS,
    DENSE,
    LISTS,
    NAMES,
    SPARSE,
    WEIGHTS,
    StoredModel,
    keep_model,
    read_model,
    readable_model,
    replace_model,
    staged,
    write_model,
)
from chronotope.train.blend import START, CountBlend
from chronotope.train.scoring import Catalogue
from tests.train import small


@pytest.fixture
def stored():
    known = small.counted(small.catalogue(), [small.history("u", [0, 1, 0, 5])])
    return StoredModel({"kind": "x", "名": "é", "loss": 0.1}, {"a": torch.arange(6.0).reshape(2, 3)}, known)


def test_what_goes_in_comes_out(stored, tmp_path):
    write_model(tmp_path / "m", stored)
    found = read_model(tmp_path / "m")
    assert found.about == stored.about
    assert torch.equal(found.tensors["a"], stored.tensors["a"])
    assert {*LISTS, *DENSE, *SPARSE} == {field.name for field in dataclasses.fields(Catalogue)}
    for name in LISTS:
        assert getattr(found.catalogue, name) == getattr(stored.catalogue, name)
    for name in DENSE:
        np.testing.assert_array_equal(getattr(found.catalogue, name), getattr(stored.catalogue, name))
        assert getattr(found.catalogue, name).dtype == getattr(stored.catalogue, name).dtype
    for name in SPARSE:
        assert (getattr(found.catalogue, name) != getattr(stored.catalogue, name)).nnz == 0


def test_a_model_that_lacks_a_count_is_none_and_a_warning_says_what_is_lost(stored, tmp_path, caplog):
    write_model(tmp_path / "m", stored)
    assert readable_model(tmp_path / "m", "nothing is lost").about == stored.about
    assert not caplog.records
    counts = load_file(tmp_path / "m" / ARRAYS)
    del counts["trending"]
    save_file(counts, tmp_path / "m" / ARRAYS)
    assert readable_model(tmp_path / "m", "no list is made") is None
    assert "no list is made: no usable model in" in caplog.text


def test_a_model_from_before_items_could_be_gone_knows_of_none(stored, tmp_path):
    write_model(tmp_path / "m", stored)
    arrays = load_file(tmp_path / "m" / ARRAYS)
    del arrays["gone"]
    save_file(arrays, tmp_path / "m" / ARRAYS)
    assert not read_model(tmp_path / "m").catalogue.gone.any()


def test_equal_models_are_equal_bytes(stored, tmp_path):
    for name in ("m", "n"):
        write_model(tmp_path / name, stored)
    for name in (ABOUT, WEIGHTS, ARRAYS, NAMES):
        assert (tmp_path / "m" / name).read_bytes() == (tmp_path / "n" / name).read_bytes()


def test_a_night_that_trains_again_leaves_the_model_alone_that_it_published(stored, tmp_path):
    night = dt.date(2012, 10, 31)
    model = dataclasses.replace(stored, about={**stored.about, "model_id": "m"})
    folder = keep_model(tmp_path, night, model)
    assert folder.name.startswith("night=2012-10-31-")
    others = [
        dataclasses.replace(model, tensors={"a": model.tensors["a"] + 1}),
        dataclasses.replace(model, about={**model.about, "model_id": "n"}),
        dataclasses.replace(model, catalogue=small.catalogue()),
    ]
    assert len({folder, *(keep_model(tmp_path, night, other) for other in others)}) == 4
    slower = dataclasses.replace(model, about={**model.about, "seconds": 7.0})
    assert keep_model(tmp_path, night, slower) == folder
    assert torch.equal(read_model(folder).tensors["a"], model.tensors["a"])
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("name", [ABOUT, WEIGHTS, ARRAYS, NAMES])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_model_is_refused(stored, tmp_path, name, damage):
    write_model(tmp_path / "m", stored)
    path = tmp_path / "m" / name
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="run stage train again"):
        read_model(tmp_path / "m")


def test_a_folder_appears_at_once(tmp_path):
    with staged(tmp_path / "m") as beside:
        (beside / "file").write_text("new")
        assert not (tmp_path / "m").exists()
    assert (tmp_path / "m" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def fill_and_fail(folder):
    with staged(folder) as beside:
        (beside / "file").write_text("half")
        raise ZeroDivisionError


def test_a_failure_leaves_what_was_there(tmp_path):
    with staged(tmp_path / "m") as beside:
        (beside / "file").write_text("old")
    with pytest.raises(ZeroDivisionError):
        fill_and_fail(tmp_path / "m")
    assert (tmp_path / "m" / "file").read_text() == "old"
    with staged(tmp_path / "m") as beside:
        assert list(beside.iterdir()) == []
        (beside / "file").write_text("new")
    assert (tmp_path / "m" / "file").read_text() == "new"


def test_a_model_takes_the_place_of_another(stored, tmp_path):
    for model_id in ("old", "new"):
        replace_model(tmp_path / "m", dataclasses.replace(stored, about={"model_id": model_id}))
    assert read_model(tmp_path / "m").about == {"model_id": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_count_model_comes_back(stored, tmp_path):
    blend = CountBlend(stored.catalogue, {"morning": START, "next": {"frequency": 1.0}}, "counts-1")
    save_counts(blend, tmp_path / "m")
    found = load_scorer(tmp_path / "m", "cpu", 1)
    assert (found.model_id, found.weights) == ("counts-1", blend.weights)


def test_an_unknown_kind_is_refused(stored, tmp_path):
    write_model(tmp_path / "m", stored)
    with pytest.raises(ModelError, match="unknown kind 'x'"):
        load_scorer(tmp_path / "m", "cpu", 1)


def test_a_count_model_without_its_weights_is_refused(stored, tmp_path):
    about = {"kind": "counts", "model_id": "counts-1", "blend": {"model_id": "counts-1"}}
    write_model(tmp_path / "m", dataclasses.replace(stored, about=about))
    with pytest.raises(ModelError, match="lacks 'weights': run stage train again"):
        load_scorer(tmp_path / "m", "cpu", 1)
