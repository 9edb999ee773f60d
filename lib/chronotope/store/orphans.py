"""Files of a table's folder that nothing names: neither its newest version nor what a night staged."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from chronotope.store.formats import Format
from chronotope.store.parquet import STAGED

DATA = ("night=*", f"{STAGED}/night=*")  # where data files lie, and nothing else is


def night_folders(tables_dir: Path) -> Iterator[tuple[dt.date, Path]]:
    """The folders where nights keep their manifests and scratch files, oldest first."""
    for path in sorted((tables_dir / "_night").glob("????-??-??")):
        yield dt.date.fromisoformat(path.name), path


def manifests(tables_dir: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every manifest in the folder, with its content."""
    for _, folder in night_folders(tables_dir):
        for path in sorted(folder.glob("*.json")):
            yield path, json.loads(path.read_text(encoding="utf-8"))


def named(tables_dir: Path, of: Format, name: str, but: Collection[Path] = ()) -> set[str]:
    """The files that a table's newest version or a manifest names, below the folder where they are or are staged.

    `but` are folders whose manifests do not count.
    """
    version = of.version_of(tables_dir / name)
    committed = of.paths_at(tables_dir / name, version).values() if version is not None else ()
    entries = [values["tables"].get(name) for path, values in manifests(tables_dir) if path.parent not in but]
    staged = [file["path"] for entry in entries if entry for file in entry["files"]]
    return {path for paths in committed for path in paths} | set(staged)


def orphans(tables_dir: Path, of: Format, name: str, but: Collection[Path] = ()) -> list[Path]:
    """The files of a table that nothing names, with what their writers left beside them; `but` as in `named`."""
    root, keep = tables_dir / name, named(tables_dir, of, name, but)
    folders = {str(Path(path).parent) for path in keep}
    found = [path for pattern in DATA for folder in root.glob(pattern) for path in folder.rglob("*") if path.is_file()]
    return sorted(path for path in found if not belongs(path.relative_to(root), keep, folders))


def belongs(path: Path, keep: set[str], folders: set[str]) -> bool:
    """Whether a file is named, is the checksum of one that is, or is a writer's mark in a folder with some.

    >>> keep, folders = {"night=D/a/x.parquet"}, {"night=D/a"}
    >>> [belongs(Path(name), keep, folders) for name in ("_staged/night=D/a/x.parquet", "night=D/a/.x.parquet.crc",
    ...  "night=D/a/_SUCCESS", "night=D/a/y.parquet", "night=D/b/_SUCCESS")]
    [True, True, True, False, False]
    """
    path = path.relative_to(STAGED) if path.parts[0] == STAGED else path
    checked = path.name.removeprefix(".").removesuffix(".crc") if path.suffix == ".crc" else path.name
    return str(path.with_name(checked)) in keep or (checked == "_SUCCESS" and str(path.parent) in folders)


def remove(root: Path, paths: Iterable[Path]) -> None:
    """Remove files below a table's folder, and the folders of data that are empty then."""
    for path in paths:
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder in (root, root / STAGED) or any(folder.iterdir()):
                break
            folder.rmdir()
