"""`chronotope retain`: rows of old nights leave the tables where no later night reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from chronotope.store.orphans import night_folders
from chronotope.store.plan import Part, Plan
from chronotope.store.rewrite import rows_in
from chronotope.store.snapshot import Snapshot, last_with, snapshots
from chronotope.store.upkeep import Effect, Folder, check_newest, relative, size_of
from chronotope.tables import TABLES, Table

# What old nights are in the tables whose current rows are those of `all` nights. Of a table that refreshes renew, no
# night before the refresh is read again, and of one whose current rows are the `latest_night` no night before that; one
# that keeps the `latest_per_key` may need any night's rows.
LOGS = ("evaluations", "feedback")  # a night adds rows and reads none, or a few
HISTORY = ("events", "rejects", "transitions")  # nights read all of it, or add it up
COMPARED = ("events", "rejects")  # of the history: with what they hold, late copies are compared
# Days before the nights kept over which late copies and alarms compare: of night.late_days and alarms.trailing_days
# neither is hardly more.
COMPARED_DAYS = 7
LOOKED_UP = ("item_embeddings", "models", "runs")  # small, and an old row is as good as a new one


def retain(folder: Folder, nights: int, with_history: bool) -> list[Effect]:
    """Remove rows of nights before the newest `nights` published ones, from the tables where no later night reads them.

    What the first of them reads of the night before it stays, for it may run again. With `with_history` rows leave also
    those tables that later nights read whole or add up, which changes what they will find. Of `events` and `rejects`,
    and always of `evaluations`, the rows of `COMPARED_DAYS` days more stay. With a longer `night.late_days`, keep as
    many more nights, or a late copy in a log delivered by day is taken for a new event; with longer
    `alarms.trailing_days` too, or alarms compare with fewer nights. What is older and comes again in a log delivered
    whole is passed over, see `last_dropped`, but for faulty records without a time: these are refused once more. The
    old nights stay published, with the rows that are left; their manifests go. Delta tables keep the files for
    `vacuum`.
    """
    check_newest(folder, folder.published[-1])
    oldest, before = folder.newest(nights)[0], folder.newest(nights + 1)[0]
    refresh = folder.published[folder.nights.index(before)].refreshed_on
    firsts = dict.fromkeys((*LOGS, *HISTORY) if with_history else LOGS, oldest)
    compared = before - dt.timedelta(COMPARED_DAYS)
    if with_history:
        firsts |= dict.fromkeys(COMPARED, compared)
    # The last refresh is the night that measured the models; what the week before was like, alarms ask.
    firsts["evaluations"] = min(compared, refresh or compared)
    effects, parts = [], {}
    for name, table in TABLES.items():
        files = folder.files(name)
        first = firsts.get(name) or first_kept(table, files, before, refresh)
        gone = {night: paths for night, paths in files.items() if first and night < first}
        for night, paths in gone.items():
            effects.append(Effect(name, night, len(paths), sum(map(rows_in, paths)), size_of(paths), "removed"))
        if gone:
            parts[name] = Part(removed=relative(folder.tables_dir / name, gone))
    if parts and not folder.dry_run:
        old = [path for night, path in night_folders(folder.tables_dir) if night in folder.nights and night < oldest]
        delete = tuple(str(path.relative_to(folder.tables_dir)) for path in old)
        folder.carry_out(Plan("retain", folder.attempt, parts, delete=delete))
    return effects


def first_kept(table: Table, nights: Iterable[dt.date], before: dt.date, refresh: dt.date | None) -> dt.date | None:
    """The first of a table's nights that is read by nights after `before`, or by readers of it; None for all.

    `refresh` is the latest refresh up to `before`.

    >>> days = [dt.date(2012, 10, day) for day in (1, 8, 15)]
    >>> names = ("terms", "counts", "events")
    >>> [str(first_kept(TABLES[name], days, dt.date(2012, 10, 10), days[0])) for name in names]
    ['2012-10-08', '2012-10-01', 'None']
    """
    if table.renewed:
        return refresh
    if table.current != "latest_night":
        return None
    return max((night for night in nights if night <= before), default=None)


def last_dropped(before: Snapshot, source: str) -> dt.date | None:
    """The last night up to `before` that read a source and whose events are no longer kept; None where all are.

    The oldest go first, so that `events` lacks the nights with events before the first that it has rows of.
    """
    kept = min(before.paths("events"), default=None)
    took_in = [of for of in snapshots(before.tables_dir) if dict(of.run["rows"]).get("events")]
    gone = [of for of in took_in if of.night <= before.night and (kept is None or of.night < kept)]
    return last_with(gone, source)
