"""The shops of next_basket: their logs through the project's own ingest, and the baskets that are asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.prepared import NIGHT, Stages
from benchmarks.report import ROOT
from chronotope.config import Settings, load_settings
from chronotope.ingest.items import items_of
from chronotope.ingest.outcome import accepted
from chronotope.ingest.records import catalogue_of as described_items
from chronotope.ingest.records import records_of
from chronotope.ingest.rules import judge
from chronotope.ingest.source import Source, load_source
from chronotope.ingest.span import Span
from chronotope.store.inputs import check_inputs, read_inputs
from chronotope.train.catalogue import catalogue_of
from chronotope.train.histories import histories
from chronotope.train.known import midnight_s
from chronotope.train.scoring import Catalogue

CONF = ROOT / "conf"


@dataclass(frozen=True)
class Shop:
    """A log with its source file, its settings, and the days that are asked about."""

    source: Source
    settings: Settings
    folder: Path  # of the log's files
    test_days: int  # the last days of the log, and the days before them that models are tuned and validated on

    @classmethod
    def of(cls, name: str, data: Path, overrides: list[str], test_days: int) -> Shop:
        """The shop of a source file in conf/sources."""
        source = load_source(CONF / "sources" / f"{name}.yaml")
        settings = load_settings(CONF / "chronotope.yaml", source.settings, overrides)
        return cls(source, settings, data / name, test_days)

    def log(self, spark: SparkSession, folder: Path) -> Log:
        """What the shop's files hold, through ingest, sessions and embed; files that are needed lie in `folder`."""
        stages = Stages(spark, self.settings, folder)
        events, items = self.ingested(spark)
        events.write.parquet(str(folder / "events"))
        events = spark.read.parquet(str(folder / "events"))
        sold = items.where(F.col("first_seen").isNotNull()).localCheckpoint()
        vectors, sessions = stages.embeddings(sold, has_text=True), stages.sessions(events).localCheckpoint()
        histories(sessions, self.settings.train.history_steps).write.parquet(str(folder / "histories"))

        cut, tail = self.cut(events), timedelta(days=self.test_days)
        early, then = (catalogue_of(sold, vectors, sessions, self.settings, at) for at in (cut - tail, cut))
        files = sorted((folder / "histories").glob("*.parquet"))
        asked = self.baskets(events, cut - tail)
        late = asked["day_s"] >= cut.timestamp()
        return Log(files, early, then, cut.timestamp(), tail.total_seconds(), asked[~late], asked[late])

    def ingested(self, spark: SparkSession) -> tuple[DataFrame, DataFrame]:
        """The rows of `events` that are purchases, and those of `items`."""
        span = Span(NIGHT, None, self.settings.night.time_zone, 0)
        inputs = read_inputs(spark, self.source, check_inputs(self.source, self.folder, NIGHT, None))
        judged = judge(records_of(inputs, self.source), self.source, self.settings.ingest, span)
        items = items_of(described_items(inputs, self.source), judged, self.source, self.settings.ingest, span)
        return accepted(judged, self.settings.ingest, span).where("action = 'buy' AND item_id IS NOT NULL"), items

    def cut(self, events: DataFrame) -> datetime:
        """The midnight at which the last `test_days` days of the log begin."""
        last_s = events.agg(F.max(F.unix_micros("occurred_at") / 1e6)).first()[0]
        zone = self.settings.night.time_zone
        day = pd.Timestamp(last_s, unit="s", tz=zone).normalize() - pd.DateOffset(days=self.test_days - 1)
        return day.tz_convert("UTC").to_pydatetime()

    def baskets(self, events: DataFrame, start: datetime) -> pd.DataFrame:
        """What each user bought on each day from a midnight on, a row each: user_id, day_s, at_s, slot and items.

        day_s is the local midnight before (epoch seconds), at_s and slot are those of the day's first purchase, items
        the distinct ones, sorted.
        """
        rows = events.where(F.col("occurred_at") >= F.lit(start)).select(
            "user_id", "item_id", "slot", (F.unix_micros("occurred_at") / 1e6).alias("at_s")
        )
        bought = rows.toPandas().sort_values(["user_id", "at_s", "item_id"])
        bought["day_s"] = midnight_s(bought["at_s"].to_numpy(), self.settings.night.time_zone)
        whole = bought.groupby(["user_id", "day_s"], as_index=False)
        return whole.agg(
            at_s=("at_s", "first"), slot=("slot", "first"), items=("item_id", lambda ids: sorted(set(ids)))
        )


@dataclass(frozen=True)
class Log:
    """What a shop's log gives: all that needs Spark."""

    files: list[Path]  # histories of all users, over the whole log
    early: Catalogue  # counted before the days that models are tuned on
    then: Catalogue  # counted before the cut
    cut_s: float  # epoch seconds: nothing from here on is learned from
    tail_s: float  # the days tuned on, before the cut, in seconds
    tuning: pd.DataFrame  # the baskets of those days
    baskets: pd.DataFrame  # what is asked: those from the cut on

    def known(self) -> pd.DataFrame:
        """The histories of all users."""
        return pd.concat([pd.read_parquet(file) for file in self.files], ignore_index=True)
