"""`chronotope vacuum`: what no kept night needs is removed."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

from chronotope.store.orphans import night_folders, orphans
from chronotope.store.plan import Plan
from chronotope.store.rewrite import rows_in
from chronotope.store.upkeep import Effect, Folder, check_newest, size_of
from chronotope.tables import TABLES

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
HALF_MADE = (".partial", ".old")  # what a killed training leaves, see store.models.staged


def vacuum(folder: Folder, keep_nights: int | None = None) -> list[Effect]:
    """Remove the files that neither a published night nor one in preparation names, and what nights left aside.

    No row of any night goes: afterwards all published nights name the newest versions. Models and manifests (by which
    a night begins again at a later stage) are kept for the newest `keep_nights` published nights (None: for all) and
    for nights in preparation, those after the last published. Models are those of the refreshes that they stand on, and
    of one night more, for a night that runs again meets its predecessor's. Scratch files are for a stage that runs, and
    none does.
    """
    check_newest(folder, folder.published[-1])
    lost = sorted(unneeded(folder, keep_nights))
    effects = [lost_folder(path) for path in lost]
    for name in TABLES:
        found = orphans(folder.tables_dir, folder.of, name, but=lost)
        if found:
            effects.append(Effect(name, None, len(found), sum(map(rows_in, found)), size_of(found), "removed"))
    if effects and not folder.dry_run:
        delete = tuple(str(path.relative_to(folder.tables_dir)) for path in lost)
        folder.carry_out(Plan("vacuum", folder.attempt, delete=delete, sweep=tuple(TABLES)))
    return effects


def unneeded(folder: Folder, keep_nights: int | None) -> Iterator[Path]:
    """Folders of models and of nights that no kept night needs, and scratch folders."""
    last, count = folder.nights[-1], keep_nights or len(folder.nights)
    nights, models = set(folder.newest(count)), set(folder.newest(count + 1))
    models |= {of.refreshed_on for of in folder.published if of.night in models and of.refreshed_on}
    for kept, found in ((nights, night_folders(folder.tables_dir)), (models, model_folders(folder.tables_dir))):
        for night, path in found:
            if path.suffix in HALF_MADE or (night <= last and night not in kept):
                yield path
            elif (path / "scratch").is_dir():
                yield path / "scratch"


def model_folders(tables_dir: Path) -> Iterator[tuple[dt.date, Path]]:
    """The folders of models, each with the night that made it.

    Of `night=D` it is D, and of `KIND-D-DIGEST`.
    """
    for path in sorted((tables_dir / "_models").glob("*")):
        found = DATE.search(path.name)
        if found:
            yield dt.date.fromisoformat(found[0]), path


def lost_folder(path: Path) -> Effect:
    """The removal of a folder of models, of a night's manifests or of scratch."""
    files = [file for file in path.rglob("*") if file.is_file()]
    what = (
        path.name if path.name == "scratch" else {"_models": "model folders", "_night": "manifests"}[path.parent.name]
    )
    found = DATE.search(str(path.parent.name if what == "scratch" else path.name))
    return Effect(what, dt.date.fromisoformat(found[0]) if found else None, len(files), 0, size_of(files), "removed")
