"""Claims: rules and copies cost at most a quarter of reading and writing, and less than pandera's checks of the rules.

    python -m benchmarks.validation

A demo log of about a million records, JSON lines by arrival day, with the faults of `scripts/make_world.py`. The first
ratio is of what stage ingest does with it (parse, judge by all rules with copies found, the judged records written,
then events and rejects) to the same without them: parse, and write the events' columns. Both place the events on the
map. The second ratio starts from parsed records in Parquet, the same file for both: ours judges and writes events and
rejects; pandera (`benchmarks/spark_peers/`, in an environment of its own, after ours, with the same Spark settings)
checks the same rules, which tells that a rule is broken but not by which records, drops copies and writes what is left.
Everything has a warm-up; medians count. The result goes to benchmarks/results/validation.json.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.backfill import make_world
from benchmarks.report import ROOT, report
from benchmarks.session import session
from benchmarks.spark_peers.run import measured_peer
from chronotope.config import Settings, load_settings
from chronotope.ingest.outcome import accepted, refused
from chronotope.ingest.records import records_of
from chronotope.ingest.rules import concluded, digest, judge
from chronotope.ingest.source import Source, load_source
from chronotope.ingest.span import Span
from chronotope.store.inputs import check_inputs, read_inputs

LIMIT = 1.25
LAST_DAY = dt.date(2026, 2, 23)
WORLD = ["--items", "5000", "--days", "22", "--start", "2026-02-02", "--seed", "7"]  # 100 events per user


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--users", type=int, default=10_000, help="users of the world, 100 events each")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    settings = load_settings(ROOT / "conf" / "chronotope.yaml")
    source = load_source(ROOT / "conf" / "sources" / "demo.yaml")
    span = Span(LAST_DAY, None, settings.night.time_zone, settings.night.late_days)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_world(folder / "world", args.users, WORLD)
        found = check_inputs(source, folder / "world", LAST_DAY, None)
        spark = session("validation", folder)
        log = Log(spark, folder, source, settings, span)

        def parsed() -> DataFrame:
            return records_of(read_inputs(spark, source, found), source)

        n_records = log.keep_records(parsed())
        seconds = {
            "plain": log.timed(lambda: log.plain(parsed()), args.runs),
            "rules": log.timed(lambda: log.rules(parsed()), args.runs),
            "rules_from_parquet": log.timed(lambda: log.rules(log.records()), args.runs),
        }
        spark.stop()
        told = measured_peer("pandera_checks", folder, args.runs)
    seconds["pandera_from_parquet"] = told["seconds"]
    median = {name: statistics.median(of) for name, of in seconds.items()}
    figures = {
        "claim": f"rules and copies at most {LIMIT} times reading and writing; faster than pandera",
        "records": n_records,
        "seconds": {name: [round(s, 2) for s in of] for name, of in seconds.items()},
        "ratio_to_reading_and_writing": round(median["rules"] / median["plain"], 2),
        "ratio_pandera_to_ours": round(median["pandera_from_parquet"] / median["rules_from_parquet"], 2),
        "checks_that_failed_in_pandera": told["failed"],
    }
    report("validation", figures)


class Log:
    """A log's records, and what becomes of them with and without rules."""

    def __init__(self, spark: SparkSession, folder: Path, source: Source, settings: Settings, span: Span) -> None:
        self.spark, self.folder, self.source, self.settings, self.span = spark, folder, source, settings, span

    def keep_records(self, records: DataFrame) -> int:
        """Write the parsed records with their event_id; how many they are."""
        self.with_id(records).write.parquet(str(self.folder / "records"))
        return self.records().count()

    def records(self) -> DataFrame:
        """The parsed records from their files."""
        return self.spark.read.parquet(str(self.folder / "records"))

    def with_id(self, records: DataFrame) -> DataFrame:
        """The records with their event_id."""
        micros = F.unix_micros("occurred_at")
        return records.withColumn("event_id", digest(self.source, F.col("key"), micros, F.col("record")))

    def plain(self, records: DataFrame) -> None:
        """Write all records as events, whatever they are."""
        nothing = {
            "faults": F.lit(""),
            "faulty": F.lit(False),
            "later": F.lit(False),
            "copy": F.lit(False),
            "taken": F.lit(False),
        }
        judged = concluded(self.with_id(records).withColumns(nothing), self.source, self.span)
        self.write(accepted(judged, self.settings.ingest, self.span), "plain")

    def rules(self, records: DataFrame) -> None:
        """Write events and rejects, as stage ingest does."""
        judge_all = judge(records.drop("event_id"), self.source, self.settings.ingest, self.span)
        judged = self.write(judge_all, "judged")
        self.write(accepted(judged, self.settings.ingest, self.span), "events")
        self.write(refused(judged, self.span), "rejects")

    def write(self, frame: DataFrame, name: str) -> DataFrame:
        """Write a frame, and what can then be read."""
        path = str(self.folder / name)
        frame.write.mode("overwrite").parquet(path)
        return self.spark.read.parquet(path)

    def timed(self, run: Callable[[], None], runs: int) -> list[float]:
        """The seconds of each run after a warm-up."""
        seconds = []
        for _ in range(runs + 1):
            started = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - started)
        return seconds[1:]


if __name__ == "__main__":
    main()
