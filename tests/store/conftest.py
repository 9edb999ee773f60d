from __future__ import annotations

import shutil

import pytest

from chronotope.config import load_settings
from tests.store import kept


@pytest.fixture(params=["delta", "parquet"])
def in_format(request, settings_file):
    """The shipped settings, once with each table format."""
    return load_settings(settings_file, overrides=[f"night.format={request.param}"])


@pytest.fixture(scope="session")
def kept_folders(_spark_session, tmp_path_factory, settings_file):
    """The folder of `tests.store.kept` in each format, made when it is asked for first; not to be changed."""
    made = {}

    def get(settings):
        name = settings.night.format
        if name not in made:
            made[name] = kept.make(_spark_session, tmp_path_factory.mktemp(name) / "tables", settings)
        return made[name]

    return get


@pytest.fixture(scope="session")
def _seen_in(kept_folders):
    """What readers see there, by format."""
    found = {}

    def get(settings):
        name = settings.night.format
        if name not in found:
            found[name] = kept.seen(kept_folders(settings))
        return found[name]

    return get


@pytest.fixture
def before(_seen_in, in_format):
    """What readers of each night see in the folder of `tests.store.kept`."""
    return _seen_in(in_format)


@pytest.fixture
def copied(tmp_path):
    """Makes a copy of a folder, to be changed."""
    return lambda folder: shutil.copytree(folder, tmp_path / "tables")


@pytest.fixture
def tables_dir(kept_folders, in_format, copied):
    """A copy of the folder of `tests.store.kept`."""
    return copied(kept_folders(in_format))
