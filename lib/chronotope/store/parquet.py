"""Plain Parquet tables, for readers that know no Delta: the same functions as `delta`, with the newest version only.

What is staged waits below `_staged/`, where readers that look for `night=*` do not see it; publishing renames it
into place, and what it replaces below `_replaced/`, where those who read through `runs` find it until the night's rows
there are committed. Who reads the folder as it is may see both, or neither, for a moment: that is what Delta is for.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from chronotope.errors import StoreError
from chronotope.store.files import DataFile
from chronotope.store.manifest import write_json
from chronotope.store.plan import Added, Removed
from chronotope.tables import Table

STAGED = "_staged"
REPLACED = "_replaced"
VERSIONS = "_versions"


def version_of(root: Path) -> int | None:
    """The newest version of the table in a folder; None where there is no table yet."""
    numbers = [int(path.stem) for path in (root / VERSIONS).glob("*.json")]
    return max(numbers, default=None)


def paths_at(root: Path, version: int) -> dict[dt.date, list[str]]:
    """The data files of a version, below the table's folder, by night: where they are, or where they were set aside.

    Raises:
        StoreError: when the version's list cannot be read.
    """
    nights = listed(root, version)
    if not (root / REPLACED).is_dir():
        return nights
    return {night: [where(root, path) for path in paths] for night, paths in nights.items()}


def where(root: Path, path: str) -> str:
    """A file's place, or the one where it was set aside if it is there."""
    aside = f"{REPLACED}/{path}"
    return aside if (root / aside).is_file() and not (root / path).is_file() else path


def listed(root: Path, version: int) -> dict[dt.date, list[str]]:
    """What the list of a version says.

    Raises:
        StoreError: when it cannot be read.
    """
    try:
        values = json.loads((root / VERSIONS / f"{version}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read version {version} of the Parquet table {root}: {error}") from error
    return {dt.date.fromisoformat(night): paths for night, paths in sorted(values.items())}


def replace_night(table: Table, root: Path, night: dt.date, attempt: str, files: Sequence[DataFile]) -> int:
    """Make `files` the whole partition `night`; repeating a finished attempt changes nothing.

    What they replace is set aside until `settle`: the night as it was published before names it until then.

    Returns:
        the version that holds them.

    Raises:
        StoreError: when a staged file is gone.
    """
    folder = root / f"night={night}"
    staged = root / STAGED / f"night={night}" / attempt
    if staged.is_dir() and not (folder / attempt).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        staged.rename(folder / attempt)
    missing = [file.path for file in files if not (root / file.path).is_file()]
    if missing:
        raise StoreError(f"table {table.name}: staged file {missing[0]} is gone; run the night again")
    newest = version_of(root)
    nights = listed(root, newest) if newest is not None else {}
    wanted = sorted(file.path for file in files)
    if newest is None or nights.get(night, []) != wanted:
        nights.pop(night, None)
        if wanted:
            nights[night] = wanted
        newest = 0 if newest is None else newest + 1
        write_json(root / VERSIONS / f"{newest}.json", {str(n): paths for n, paths in nights.items()})
    set_aside(root, folder, {Path(path).parent.name for path in wanted})
    for path in folder.glob("*/*.parquet"):
        if str(path.relative_to(root)) not in wanted:
            path.unlink()
            path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
    return newest


def set_aside(root: Path, folder: Path, attempts: Collection[str]) -> None:
    """Move all attempts but the given ones out of the folder of a night."""
    for other in folder.glob("*"):
        if other.name not in attempts:
            aside = root / REPLACED / folder.name / other.name
            aside.parent.mkdir(parents=True, exist_ok=True)
            other.rename(aside)


def settle(root: Path) -> None:
    """Remove what was set aside: no published night names it any more."""
    shutil.rmtree(root / REPLACED, ignore_errors=True)


def replace_files(table: Table, root: Path, attempt: str, added: Added, removed: Removed, same_rows: bool) -> int:
    """Let staged files take the place of others; repeating it changes nothing, and so does `same_rows`.

    The files that are replaced stay where they are until `store.orphans` removes them.

    Returns:
        the version that holds them.

    Raises:
        StoreError: when a staged file is gone, or the list of files cannot be read.
    """
    for path in [file.path for files in added.values() for file in files]:
        if (root / STAGED / path).is_file():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / STAGED / path).replace(root / path)
        if not (root / path).is_file():
            raise StoreError(f"table {table.name}: staged file {path} is gone; no row was changed")
    newest = version_of(root)
    before = listed(root, newest) if newest is not None else {}
    after = {}
    for night in sorted({*before, *added}):
        kept = set(before.get(night, [])) - set(removed.get(night, []))
        after[night] = sorted(kept | {file.path for file in added.get(night, [])})
    after = {night: paths for night, paths in after.items() if paths}
    if newest is None or after != before:
        newest = 0 if newest is None else newest + 1
        write_json(root / VERSIONS / f"{newest}.json", {str(night): paths for night, paths in after.items()})
    return newest


def trim(root: Path) -> None:
    """Make the newest version the only one."""
    newest = version_of(root)
    for path in (root / VERSIONS).glob("*.json"):
        if int(path.stem) != newest:
            path.unlink()
