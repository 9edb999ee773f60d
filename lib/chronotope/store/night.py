"""One night over one folder of tables: what its stages read, stage and, all at once, publish."""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from chronotope.calendar import is_refresh
from chronotope.config import Settings
from chronotope.errors import StoreError, UsageError
from chronotope.flow import STAGES
from chronotope.ingest.source import Source
from chronotope.slots import end_of
from chronotope.store import publish
from chronotope.store.files import measure
from chronotope.store.formats import FORMATS, Format, claim_format, format_of, staging_base
from chronotope.store.frames import current, only, read_files, union
from chronotope.store.inputs import FoundInputs
from chronotope.store.manifest import Manifest, Staged
from chronotope.store.snapshot import Snapshot, chosen_path, last_with, snapshots
from chronotope.tables import TABLES

log = logging.getLogger(__name__)


@dataclass
class Night:
    """The night of `date`: reads come from the night published before it and from what it staged itself."""

    spark: SparkSession
    tables_dir: Path
    date: dt.date
    settings: Settings
    before: Snapshot | None = None  # the latest night published before this one
    like: Snapshot | None = None  # in a rebuild, the nights whose IDF, model and calendar are taken
    sources: tuple[tuple[Source, FoundInputs], ...] = ()  # each with the files that this night reads
    made_from: Mapping[str, str] = field(default_factory=dict)  # what this night's rows follow from: `store.resume`
    has_lost_model: bool = False  # whether the model of the night before cannot be used any more
    is_published: bool = False  # whether this very night was published before
    finished: dt.date | None = None  # the night, this or another, that this process finished publishing at first
    attempt: str = field(default_factory=lambda: os.urandom(6).hex())  # this process's own scratch folder
    staging: dict[str, Staged] = field(default_factory=dict)  # by the stage that runs now

    @property
    def carried_out(self) -> bool:
        """Whether it was this process that finished publishing this very night."""
        return self.finished == self.date

    @property
    def end(self) -> dt.datetime:
        """The first moment after the night, UTC: 24:00 of its date on the clock of night.time_zone."""
        return end_of(self.date, self.settings.night.time_zone)

    @property
    def last(self) -> dt.date | None:
        """The night published before; None on the first night."""
        return self.before.night if self.before else None

    def last_of(self, source: str) -> dt.date | None:
        """The night before that read a source; None for one that none has read."""
        return last_with([of for of in snapshots(self.tables_dir) if of.night < self.date], source)

    @property
    def source_names(self) -> list[str]:
        """The names of the sources that this night reads, also where another process has run its ingest."""
        return self.made_from.get("sources", "").split()

    @property
    def has_other_settings(self) -> bool:
        """Whether a setting changed since the night before."""
        return self.before is not None and self.before.run["config_digest"] != self.settings.digest()

    @property
    def previous_end(self) -> dt.datetime | None:
        """The end of the night published before; None on the first night."""
        return end_of(self.last, self.settings.night.time_zone) if self.last else None

    @property
    def format(self) -> Format:
        """The format of the tables."""
        return FORMATS[self.settings.night.format]

    @property
    def folder(self) -> Path:
        """Where this night keeps its manifests and scratch files."""
        return self.tables_dir / "_night" / str(self.date)

    @property
    def scratch_dir(self) -> Path:
        """Where this process writes aside: what a killed one still writes for a moment does not get in between."""
        return self.folder / "scratch" / self.attempt

    @property
    def models_dir(self) -> Path:
        """Where models are kept, one folder each."""
        return self.tables_dir / "_models"

    @property
    def is_refresh(self) -> bool:
        """Whether this night renews what all users share: models, IDF, catalogue.

        By the calendar; when a setting changed since the night before, for the rows of others would know nothing of it;
        and when the model is lost that the night would go on with.
        """
        if self.has_other_settings or self.has_lost_model:
            return True
        return is_refresh(self.refreshed_before, self.date, self.settings.night.refresh_days)

    @property
    def refreshed_before(self) -> dt.date | None:
        """The latest refresh before this night."""
        return self.before.refreshed_on if self.before else None

    @property
    def model_folder(self) -> Path:
        """The model that makes this night's tables: what its own refresh chose, or the latest.

        Raises:
            StoreError: when none has been chosen.
        """
        if not self.is_refresh:
            return self.model_folder_before
        base, paths = self.staged_files("models")
        return self.tables_dir / chosen_path([base / path for path in paths])

    @property
    def model_folder_before(self) -> Path:
        """The model that made the tables of the night before.

        Raises:
            StoreError: when there is none.
        """
        if self.before is None:
            raise StoreError(f"night {self.date} is the first: there is no model before it")
        return self.before.model_folder

    def below(self, path: Path) -> str:
        """A path as tables name it: below their folder."""
        return str(path.relative_to(self.tables_dir))

    def read(self, name: str, users: DataFrame | None = None) -> DataFrame:
        """A table as of this night: earlier nights as published, and this night's rows where a stage wrote them.

        The declaration's `current` and `renewed` say which rows stand for the table.

        Args:
            name: of the table.
            users: a frame with the `user_id` of those whose rows are wanted; None for everybody's.

        """
        table, staged = TABLES[name], self.staged().get(name)
        if staged is None:
            return self.read_before(name, users)
        replaced = (table.renewed and self.is_refresh) or (table.current == "latest_night" and staged.rows)
        earlier = {} if replaced or self.before is None else self.before.standing(table)
        frames = [self.files(name, earlier), self.rows(name)] if earlier else [self.rows(name)]
        rows = only(union(frames), users)
        return current(table, rows) if earlier else rows

    def read_before(self, name: str, users: DataFrame | None = None) -> DataFrame:
        """A table as the night before left it, see `read`."""
        table = TABLES[name]
        earlier = self.before.standing(table) if self.before else {}
        rows = only(self.files(name, earlier), users)
        return current(table, rows) if len(earlier) > 1 else rows

    def rows(self, name: str) -> DataFrame:
        """The night's own rows of a table.

        Raises:
            StoreError: when the stage that writes them has not run for this night.
        """
        base, paths = self.staged_files(name)
        return read_files(self.spark, TABLES[name], base, [base / path for path in paths])

    def staged_files(self, name: str) -> tuple[Path, list[str]]:
        """The folder below which the night's files of a table lie, and their paths there.

        Raises:
            StoreError: when the stage that writes them has not run for this night.
        """
        staged = self.staged().get(name)
        if staged is None:
            raise StoreError(f"night {self.date} has no {name} yet; run the stages before this one first")
        root = self.tables_dir / name
        base, paths = staging_base(root, self.settings.night.format), [file.path for file in staged.files]
        moved = paths and not (base / paths[0]).exists()  # published already: plain Parquet moves its files
        return root if moved else base, paths

    def earlier(self, name: str, since: dt.date | None = None) -> DataFrame:
        """All rows of a table that nights before this one published; with `since`, that night and those after it."""
        nights = self.before.paths(name) if self.before else {}
        return self.files(name, {night: paths for night, paths in nights.items() if since is None or night >= since})

    def files(self, name: str, nights: Mapping[dt.date, Sequence[Path]]) -> DataFrame:
        """The rows of published files of a table."""
        paths = [path for paths in nights.values() for path in paths]
        return read_files(self.spark, TABLES[name], self.tables_dir / name, paths)

    def write(self, name: str, frame: DataFrame) -> int:
        """Stage this night's rows of a table; nobody sees them before the night is published.

        Returns:
            the number of rows.

        Raises:
            SchemaError: when the frame is not as declared.
        """
        table = TABLES[name]
        root = self.tables_dir / name
        base = staging_base(root, self.settings.night.format)
        attempt = os.urandom(6).hex()
        folder = base / f"night={self.date}" / attempt
        table.conform(frame).drop("night").write.parquet(str(folder))
        files = tuple(measure(table, base, folder))
        if not files:
            shutil.rmtree(folder)  # Spark writes a file for no rows, too
        self.staging[name] = Staged(attempt, files)
        log.info("  %s: %s rows in %d files", name, f"{self.staging[name].rows:,}", len(files))
        return self.staging[name].rows

    def scratch(self, name: str, frame: DataFrame) -> DataFrame:
        """Write a frame aside and read it back, so that what follows computes it once; gone after the night."""
        return self.spark.read.schema(frame.schema).parquet(str(self.scratch_folder(name, frame)))

    def scratch_folder(self, name: str, frame: DataFrame) -> Path:
        """Write a frame aside as Parquet, for readers without Spark; gone after the night."""
        folder = self.scratch_dir / name
        frame.write.mode("overwrite").parquet(str(folder))
        return folder

    def staged(self) -> dict[str, Staged]:
        """What this night has staged, by table: by the finished stages and by the one that runs."""
        tables: dict[str, Staged] = {}
        for manifest in self.manifests():
            tables.update(manifest.tables)
        return {**tables, **self.staging}

    def manifests(self) -> Iterator[Manifest]:
        """The manifests of the finished stages, in the order of the stages; what is no manifest finishes no stage."""
        for stage in STAGES:
            path = self.folder / f"{stage}.json"
            try:
                if path.is_file():
                    yield Manifest.load(path)
            except (ValueError, TypeError, KeyError) as error:
                log.warning("%s is no manifest of this version: %s has to run again (%s)", path, stage, error)

    def begin(self, stage: str) -> None:
        """Forget what this stage and those after it staged before: their inputs are about to change."""
        self.staging = {}
        for later in STAGES[STAGES.index(stage) :]:
            (self.folder / f"{later}.json").unlink(missing_ok=True)

    def finish(
        self, stage: str, seconds: float, finished_at: dt.datetime, peak_memory_bytes: int | None = None
    ) -> Manifest:
        """Write the stage's manifest, and return it: from now on the stage counts as done."""
        manifest = Manifest(stage, self.staging, seconds, finished_at.isoformat(), self.made_from, peak_memory_bytes)
        manifest.save(self.folder / f"{stage}.json")
        self.staging = {}
        return manifest

    def publish(self) -> None:
        """Commit every staged table and then the `runs` row: see `store.publish`."""
        publish.publish(self)
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)


def open_night(
    spark: SparkSession, tables_dir: Path, date: dt.date, settings: Settings, like: Snapshot | None = None
) -> Night:
    """The night of a date over a folder of tables; an unfinished publication is finished first.

    Args:
        spark: the session.
        tables_dir: the folder, which may be empty.
        date: the night.
        settings: all of them.
        like: in a rebuild, the nights to be rebuilt as they were published by `date`.

    Raises:
        UsageError: when a later night is published already, the folder holds tables of another format, or a rebuild is
            asked for in a folder with other nights.
    """
    claim_format(tables_dir, settings.night.format)
    finished = finish_unfinished(tables_dir, date)
    published = snapshots(tables_dir)
    later = [s.night for s in published if s.night > date]
    if later:
        newest = max(later)
        raise UsageError(f"--date {date}: night {newest} is published in {tables_dir}; give that date or a later one")
    before = [s for s in published if s.night < date]
    if like and (before or like.tables_dir.resolve() == tables_dir.resolve()):
        raise UsageError(f"{tables_dir} holds other nights; a rebuild goes into a folder of its own")
    night = Night(spark, tables_dir, date, settings, before[-1] if before else None, like, finished=finished)
    night.is_published = any(s.night == date for s in published)
    shutil.rmtree(night.folder / "scratch", ignore_errors=True)
    return night


def finish_unfinished(tables_dir: Path, date: dt.date) -> dt.date | None:
    """Finish what an earlier process began to publish, before the night of `date` begins; the night that it was."""
    name = format_of(tables_dir)
    return publish.finish_before(tables_dir, FORMATS[name], date) if name else None
