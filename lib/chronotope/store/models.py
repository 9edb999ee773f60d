"""Folders of trained models: tensors, the catalogue, and what the model is; no pickle, and never half a model."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save as arrays_to_bytes
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save as tensors_to_bytes
from scipy import sparse

from chronotope.errors import ModelError
from chronotope.train.scoring import Catalogue

log = logging.getLogger(__name__)

ABOUT, WEIGHTS, ARRAYS, NAMES = "model.json", "weights.safetensors", "catalogue.safetensors", "catalogue.json"
LISTS = ("item_ids", "categories", "languages", "regions", "actions", "dayparts")
DENSE = ("lat", "lon", "region", "embedding", "gone", "daypart_of_slot", "visitors", "trending")
SPARSE = ("popularity", "transitions")


@dataclass(frozen=True)
class StoredModel:
    """What a model's folder holds."""

    about: Mapping[str, Any]  # plain JSON: kind, model_id, and what the kind needs to be made again
    tensors: Mapping[str, torch.Tensor]  # learned weights; empty for a model without
    catalogue: Catalogue


def write_model(folder: Path, model: StoredModel) -> None:
    """Write a model's files into a folder; the description comes last, and without it the folder is no model."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents(model):
        write_bytes(folder / name, content)
    write_bytes(folder / ABOUT, to_json(model.about))


def contents(model: StoredModel) -> Iterator[tuple[str, bytes]]:
    """Name and content of a model's files but for its description; equal models give equal bytes."""
    catalogue = model.catalogue
    yield WEIGHTS, bytes_of(model.tensors)
    arrays: dict[str, npt.NDArray[Any]] = {name: getattr(catalogue, name) for name in DENSE}
    for name in SPARSE:
        matrix = sparse.csr_matrix(getattr(catalogue, name))
        matrix.sort_indices()  # the same matrix is then the same bytes
        arrays |= {f"{name}.data": matrix.data, f"{name}.indices": matrix.indices, f"{name}.indptr": matrix.indptr}
        arrays[f"{name}.shape"] = np.array(matrix.shape)
    yield ARRAYS, arrays_to_bytes({k: np.ascontiguousarray(v) for k, v in arrays.items()})
    yield NAMES, to_json({name: getattr(catalogue, name) for name in LISTS})


def keep_model(models_dir: Path, night: dt.date, model: StoredModel) -> Path:
    """Write the model that makes a night's tables into the folder that is its own, and return that.

    The folder is named by the night and by what the model is: a night that runs again, with other data or settings,
    leaves the model alone that published nights stand on, and one that comes to the same model finds it there.
    """
    digest = hashlib.sha256(str(model.about["model_id"]).encode())
    for _, content in contents(model):
        digest.update(content)
    folder = models_dir / f"night={night}-{digest.hexdigest()[:12]}"
    replace_model(folder, model)
    return folder


def read_model(folder: Path) -> StoredModel:
    """The model in a folder.

    Raises:
        ModelError: when a file is missing or damaged.

    """
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        names = json.loads((folder / NAMES).read_text(encoding="utf-8"))
        arrays = load_arrays(folder / ARRAYS)
        arrays.setdefault("gone", np.zeros(len(names["item_ids"]), bool))  # models of before know of none
        dense = {name: arrays[name] for name in DENSE}
        matrices = {name: matrix_of(arrays, name) for name in SPARSE}
        return StoredModel(about, read_tensors(folder / WEIGHTS), Catalogue(**names, **dense, **matrices))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"no usable model in {folder} ({error}): run stage train again") from error


def readable_model(folder: Path, lost: str) -> StoredModel | None:
    """The model in a folder; None, and a warning that says what is lost, where this version cannot read it."""
    try:
        return read_model(folder)
    except ModelError as error:
        log.warning("%s: %s", lost, error)
        return None


def matrix_of(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> sparse.csr_matrix:
    """The sparse matrix whose parts are stored under a name."""
    data, indices, indptr = (arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
    return sparse.csr_matrix((data, indices, indptr), shape=tuple(arrays[f"{name}.shape"]))


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write into; it takes the place of `folder` when the block ends well.

    What a killed or failed attempt left is cleared by the next one; until then an older `folder` is as it was.
    """
    beside, old = folder.with_name(f"{folder.name}.partial"), folder.with_name(f"{folder.name}.old")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    yield beside
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def replace_model(folder: Path, model: StoredModel) -> None:
    """Write a model into a folder, in place of the one that may be there, whole or not at all."""
    with staged(folder) as beside:
        write_model(beside, model)


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write named tensors to one file, at once: a reader sees the file before or the file after."""
    write_bytes(path, bytes_of(tensors))


def bytes_of(tensors: Mapping[str, torch.Tensor]) -> bytes:
    """Named tensors as one file's content."""
    content: bytes = tensors_to_bytes({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
    return content


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The named tensors of a file."""
    tensors: dict[str, torch.Tensor] = load_tensors(path)
    return tensors


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file beside its name, force it to disk, then give it the name."""
    beside = path.with_name(f"{path.name}.tmp")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def to_json(value: Any) -> bytes:
    """JSON with sorted keys, so that equal values are equal bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
