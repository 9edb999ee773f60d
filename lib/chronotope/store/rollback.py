"""`chronotope rollback NIGHT`: an earlier published night is the newest again, as if those after it had never run."""

from __future__ import annotations

import datetime as dt

from chronotope.errors import StoreError, UsageError
from chronotope.store.orphans import night_folders
from chronotope.store.plan import Part, Plan
from chronotope.store.rewrite import rows_in
from chronotope.store.snapshot import Snapshot
from chronotope.store.upkeep import Effect, Folder, check_newest, relative, size_of
from chronotope.store.vacuum import lost_folder, model_folders
from chronotope.tables import TABLES


def rollback(folder: Folder, to: dt.date) -> list[Effect]:
    """Remove the rows, models and manifests of every night after a published one.

    Nights after it that are in preparation are given up too, for they read what goes. Delta tables keep the files for
    `vacuum`, and until then the versions that the nights had published.

    Raises:
        UsageError: when that night is not published.
        StoreError: when its rows are not in the tables as it published them, or have left them since.
    """
    if to not in folder.nights:
        raise UsageError(f"night {to} is not published in {folder.tables_dir}; see `chronotope runs`")
    check_newest(folder, folder.published[folder.nights.index(to)])
    check_kept(folder, folder.published[folder.nights.index(to)])
    effects, parts = [], {}
    for name in TABLES:
        later = {night: paths for night, paths in folder.files(name).items() if night > to}
        for night, paths in later.items():
            effects.append(Effect(name, night, len(paths), sum(map(rows_in, paths)), size_of(paths), "removed"))
        if later and name != "runs":
            parts[name] = Part(removed=relative(folder.tables_dir / name, later))
    folders = [*night_folders(folder.tables_dir), *model_folders(folder.tables_dir)]
    lost = [path for night, path in folders if night > to]
    effects += [lost_folder(path) for path in lost]
    if effects and not folder.dry_run:
        unpublish = tuple(night for night in folder.nights if night > to)
        delete = tuple(str(path.relative_to(folder.tables_dir)) for path in lost)
        folder.carry_out(Plan("rollback", folder.attempt, parts, unpublish=unpublish, delete=delete))
    return effects


def check_kept(folder: Folder, to: Snapshot) -> None:
    """Make sure that the rows of the refresh that a night stands on have not been retained away.

    Raises:
        StoreError: when they have.
    """
    refresh = to.refreshed_on
    written = next((dict(of.run["rows"]) for of in folder.published if of.night == refresh), {})
    for name in [name for name, table in TABLES.items() if table.renewed and written.get(name)]:
        if refresh not in folder.files(name):
            raise StoreError(
                f"night {to.night} stands on rows of {name} of {refresh}, which `chronotope retain` has removed; "
                "choose a later night"
            )
