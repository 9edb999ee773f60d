"""From plain events to what the models read, by the night's own stages: ingest, sessions, embed, train.

A benchmark has no night: it has a frame of events and knows which of them may be known. `Stages` turns such frames
into the catalogue that a model is trained with, the Parquet files of histories that it learns from, and one history
per query. A plain frame is a pandas frame, in the order in which events of equal time happened, with the columns

    user_id, item_id   text or numbers
    occurred_at        UTC; or `order`, integers that only tell which event came first (taken as seconds)
    utc_offset_min     optional: local time less UTC. Without it the slot is -1: the data has no clock
    lat, lon           optional, degrees
    region             optional; where there is none it is the H3 cell of the coordinates, as in stage ingest
    action             optional, `view` without
    category, text     optional, of the item; the newest event describes it
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from chronotope.config import Settings
from chronotope.embed.frames import embed, missing_texts
from chronotope.embed.weights import model_name
from chronotope.ingest.items import items_of
from chronotope.ingest.outcome import accepted
from chronotope.ingest.records import ITEM_FIELDS
from chronotope.ingest.source import Source
from chronotope.ingest.span import Span
from chronotope.sessions import sessions
from chronotope.tables.embeddings import ITEM_EMBEDDINGS
from chronotope.train.catalogue import catalogue_of
from chronotope.train.histories import STEP_FIELDS, histories, in_no_order
from chronotope.train.scoring import Catalogue

OPTIONAL = {
    "action": "string", "utc_offset_min": "int", "lat": "double", "lon": "double", "region": "string",
    "category": "string", "text": "string",
}  # fmt: skip
NIGHT = dt.date(2100, 1, 1)  # a night after all events: nothing is late, and every session is closed
SPAN = Span(NIGHT, None, "UTC", 0)
SOURCE = Source.model_validate(
    {
        "name": "benchmark",
        "description": "plain events",
        "inputs": {"log": {"path": "*.parquet", "format": "parquet"}},
        "events": {
            "from": "log",
            "key": ["event_id"],
            "identical": "separate",
            "columns": {name: name for name in ("user_id", "item_id", "action", "occurred_at", "utc_offset_min")},
        },
        "items": {"from": "log", "columns": {"item_id": "item_id"}},
    }
)


@dataclass(frozen=True)
class Stages:
    """The stages of a night over plain frames; files that they need lie in `folder`."""

    spark: SparkSession
    settings: Settings
    folder: Path
    _numbers: Any = field(default_factory=itertools.count)

    def catalogue(self, plain: pd.DataFrame, described: pd.DataFrame | None = None) -> Catalogue:
        """The catalogue of all items of a plain frame, with what its events count up to the second after the last.

        Args:
            plain: every event that may be counted.
            described: the events that describe the items; those of `plain` without it.

        """
        items = self.items(plain if described is None else described).localCheckpoint()
        # Events without a clock are counted in one daypart, so that the sums over dayparts are right.
        events = self.events(plain).withColumn("slot", F.greatest("slot", F.lit(0)))
        vectors = self.embeddings(items, "text" in plain)
        last_s = events.agg(F.max(F.unix_micros("occurred_at")) / 1e6).first()[0]
        end = dt.datetime.fromtimestamp(last_s + 1, dt.UTC)
        return catalogue_of(items, vectors, self.sessions(events), self.settings, end)

    def history_files(self, plain: pd.DataFrame, max_steps: int | None = None) -> list[Path]:
        """The histories of the users of a plain frame, as the Parquet files that training reads.

        Their newest steps: so many, or `train.history_steps`. Users come in no order, as in a night: training that
        `train.max_minutes` ends would otherwise leave out the same ones in each epoch.
        """
        folder = self.new_path()
        kept = histories(self.sessions(self.events(plain)), max_steps or self.settings.train.history_steps)
        in_no_order(kept).write.parquet(str(folder))
        return sorted(folder.glob("*.parquet"))

    def known(self, plain: pd.DataFrame, query: np.ndarray, event: np.ndarray, n_queries: int) -> pd.DataFrame:
        """One history per query, of the events that it may know and of no other: Q rows of `histories`.

        Row q is the query q; its user_id is text of q, for nothing may be read from who asks. Gaps and distances are
        measured between the known events, so they tell nothing of what lies between. A query that may know nothing has
        empty arrays.

        Args:
            plain: the events.
            query: [P] the query of each (query, event) pair.
            event: [P] the event's row in `plain`; of events of equal time the later row happened later.
            n_queries: Q.

        """
        order = np.lexsort((event, query))
        pairs = plain.iloc[event[order]].assign(user_id=query[order])
        kept = histories(self.sessions(self.events(pairs)), self.settings.train.history_steps).toPandas()
        kept = kept.set_index("user_id").reindex([str(q) for q in range(n_queries)])
        for name in STEP_FIELDS:
            kept[name] = [steps if isinstance(steps, np.ndarray) else np.empty(0) for steps in kept[name]]
        return kept.rename_axis("user_id").reset_index()

    def items(self, plain: pd.DataFrame) -> DataFrame:
        """The rows of table `items` that the events describe."""
        return items_of(None, self.judged(plain), SOURCE, self.settings.ingest, SPAN)

    def events(self, plain: pd.DataFrame) -> DataFrame:
        """The rows of table `events`; slot -1 where the event has no UTC offset."""
        events = accepted(self.judged(plain), self.settings.ingest, SPAN)
        return events.withColumn("slot", F.coalesce("slot", F.lit(-1)))

    def sessions(self, events: DataFrame) -> DataFrame:
        """The rows of table `sessions` of the events."""
        return sessions(events, None, self.settings, NIGHT)

    def embeddings(self, items: DataFrame, has_text: bool) -> DataFrame:
        """The rows of table `item_embeddings` of the items' texts; none, and no encoder loaded, where there is none."""
        if not has_text:
            return self.spark.createDataFrame([], ITEM_EMBEDDINGS.schema())
        texts = missing_texts(items, None, model_name(self.settings.embed))
        return embed(texts, self.settings, NIGHT).localCheckpoint()

    def judged(self, plain: pd.DataFrame) -> DataFrame:
        """The events as ingest has them once they are judged, all of them accepted; ids tell the order of the rows."""
        path = self.new_path()
        with_id(plain).to_parquet(path, index=False)
        frame = self.spark.read.parquet(str(path))
        given = {name: optional(frame, name, kind) for name, kind in OPTIONAL.items()}
        given["action"] = F.coalesce(given["action"], F.lit("view"))
        return frame.select(
            "event_id",
            F.lit(SOURCE.name).alias("source"),
            *[F.col(name).cast("string").alias(name) for name in ("user_id", "item_id")],
            F.timestamp_micros("occurred_us").alias("occurred_at"),
            *[given[name].alias(name) for name in ("action", "utc_offset_min", "lat", "lon", "region")],
            F.lit(None).cast("double").alias("value"),
            F.lit(None).cast("string").alias("query"),
            F.lit("accepted").alias("outcome"),
            F.lit(None).cast("date").alias("arrival_day"),
            item(given).alias("item"),
        )

    def new_path(self) -> Path:
        """A name in the folder that is not taken."""
        return self.folder / f"plain-{next(self._numbers)}"


def with_id(plain: pd.DataFrame) -> pd.DataFrame:
    """The plain frame with event_id, text that sorts like the rows, and occurred_us, microseconds since the epoch."""
    if "occurred_at" in plain:
        occurred_us = pd.to_datetime(plain["occurred_at"], utc=True).dt.as_unit("us").astype("int64")
    else:
        occurred_us = plain["order"].astype("int64") * 1_000_000
    kept = [name for name in ("user_id", "item_id", *OPTIONAL) if name in plain]
    ids = pd.Series(np.arange(len(plain)), index=plain.index).astype(str).str.zfill(12)
    return plain[kept].assign(event_id=ids, occurred_us=occurred_us)


def optional(frame: DataFrame, name: str, kind: str) -> Column:
    """A column of the frame, or nulls."""
    return (F.col(name) if name in frame.columns else F.lit(None)).cast(kind)


def item(given: Mapping[str, Column]) -> Column:
    """What an event says about its item, as text."""
    said = {name: given.get(name, F.lit(None)).cast("string").alias(name) for name in ITEM_FIELDS}
    return F.struct(*said.values(), F.lit(None).cast("string").alias("order"))
