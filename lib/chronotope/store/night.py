"""One night over one folder of tables: what its stages read, stage and, all at once, publish."""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession

from chronotope.config import Settings
from chronotope.errors import StoreError, UsageError
from chronotope.flow import STAGES
from chronotope.ingest.source import Source
from chronotope.slots import end_of
from chronotope.store import publish
from chronotope.store.files import measure
from chronotope.store.formats import FORMATS, Format, claim_format, staging_base
from chronotope.store.frames import latest_per_key, read_files, union
from chronotope.store.inputs import FoundInputs
from chronotope.store.manifest import Manifest, Staged
from chronotope.store.snapshot import Snapshot, snapshots
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
    sources: tuple[tuple[Source, FoundInputs], ...] = ()  # each with the files that this night reads
    staging: dict[str, Staged] = field(default_factory=dict)  # by the stage that runs now

    @property
    def end(self) -> dt.datetime:
        """The first moment after the night, UTC: 24:00 of its date on the clock of night.time_zone."""
        return end_of(self.date, self.settings.night.time_zone)

    @property
    def previous_end(self) -> dt.datetime | None:
        """The end of the night published before; None on the first night."""
        return end_of(self.before.night, self.settings.night.time_zone) if self.before else None

    @property
    def format(self) -> Format:
        """The format of the tables."""
        return FORMATS[self.settings.night.format]

    @property
    def folder(self) -> Path:
        """Where this night keeps its manifests and scratch files."""
        return self.tables_dir / "_night" / str(self.date)

    @property
    def models_dir(self) -> Path:
        """Where models are kept, one folder each."""
        return self.tables_dir / "_models"

    @property
    def model_folder(self) -> Path:
        """The model that makes this night's tables."""
        return self.models_dir / f"night={self.date}"

    def read(self, name: str) -> DataFrame:
        """A table as of this night: earlier nights as published, and this night's rows where a stage wrote them.

        The declaration's `current` says which rows stand for the table.
        """
        table = TABLES[name]
        nights = self.before.paths(name) if self.before else {}
        staged = self.staged().get(name)
        if table.current == "latest_night":
            nights = {} if staged and staged.rows else dict(list(nights.items())[-1:])
        earlier = [path for paths in nights.values() for path in paths]
        frames = [read_files(self.spark, table, self.tables_dir / name, earlier)] if earlier else []
        if staged or not frames:
            frames.append(self.rows(name) if staged else read_files(self.spark, table, self.tables_dir / name, []))
        rows = union(frames)
        single = len(nights) + bool(staged) <= 1
        return rows if table.current != "latest_per_key" or single else latest_per_key(table, rows)

    def rows(self, name: str) -> DataFrame:
        """The night's own rows of a table.

        Raises:
            StoreError: when the stage that writes them has not run for this night.
        """
        staged = self.staged().get(name)
        if staged is None:
            raise StoreError(f"night {self.date} has no {name} yet; run the stages before this one first")
        root = self.tables_dir / name
        base = staging_base(root, self.settings.night.format)
        paths = [base / file.path for file in staged.files]
        if paths and not paths[0].exists():  # published already: plain Parquet moves its files
            base, paths = root, [root / file.path for file in staged.files]
        return read_files(self.spark, TABLES[name], base, paths)

    def earlier(self, name: str) -> DataFrame:
        """All rows of a table that nights before this one published."""
        nights = self.before.paths(name) if self.before else {}
        paths = [path for paths in nights.values() for path in paths]
        return read_files(self.spark, TABLES[name], self.tables_dir / name, paths)

    def latest_earlier(self, name: str) -> DataFrame:
        """The rows of a table that the latest of the earlier nights with any rows published."""
        nights = self.before.paths(name) if self.before else {}
        paths = list(nights.values())[-1] if nights else []
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
        self.staging[name] = Staged(attempt, files)
        log.info("  %s: %s rows in %d files", name, f"{self.staging[name].rows:,}", len(files))
        return self.staging[name].rows

    def scratch(self, name: str, frame: DataFrame) -> DataFrame:
        """Write a frame aside and read it back, so that what follows computes it once; gone after the night."""
        return self.spark.read.schema(frame.schema).parquet(str(self.scratch_folder(name, frame)))

    def scratch_folder(self, name: str, frame: DataFrame) -> Path:
        """Write a frame aside as Parquet, for readers without Spark; gone after the night."""
        folder = self.folder / "scratch" / name
        frame.write.mode("overwrite").parquet(str(folder))
        return folder

    def staged(self) -> dict[str, Staged]:
        """What this night has staged, by table: by the finished stages and by the one that runs."""
        tables: dict[str, Staged] = {}
        for manifest in self.manifests():
            tables.update(manifest.tables)
        return {**tables, **self.staging}

    def manifests(self) -> Iterator[Manifest]:
        """The manifests of the finished stages, in the order of the stages."""
        for stage in STAGES:
            path = self.folder / f"{stage}.json"
            if path.is_file():
                yield Manifest.load(path)

    def begin(self, stage: str) -> None:
        """Forget what this stage and those after it staged before: their inputs are about to change."""
        self.staging = {}
        for later in STAGES[STAGES.index(stage) :]:
            (self.folder / f"{later}.json").unlink(missing_ok=True)

    def finish(self, stage: str, seconds: float, finished_at: dt.datetime) -> None:
        """Write the stage's manifest: from now on the stage counts as done."""
        manifest = Manifest(stage, self.staging, seconds, finished_at.isoformat(), self.settings.digest())
        manifest.save(self.folder / f"{stage}.json")
        self.staging = {}

    def publish(self) -> None:
        """Commit every staged table and then the `runs` row: see `store.publish`."""
        publish.publish(self)
        shutil.rmtree(self.folder / "scratch", ignore_errors=True)


def open_night(spark: SparkSession, tables_dir: Path, date: dt.date, settings: Settings) -> Night:
    """The night of a date over a folder of tables; an unfinished publication is finished first.

    Raises:
        UsageError: when a later night is published already, or the folder holds tables of another format.
    """
    claim_format(tables_dir, settings.night.format)
    publish.finish_before(tables_dir, FORMATS[settings.night.format], date)
    published = snapshots(tables_dir)
    later = [s.night for s in published if s.night > date]
    if later:
        newest = max(later)
        raise UsageError(f"--date {date}: night {newest} is published in {tables_dir}; give that date or a later one")
    before = [s for s in published if s.night < date]
    return Night(spark, tables_dir, date, settings, before[-1] if before else None)
