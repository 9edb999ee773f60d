"""Reading a source's inputs: the only part of Chronotope that looks into the input folder."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from deltalake import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from chronotope.errors import SourceError, UsageError
from chronotope.ingest.records import ARRIVAL, CORRUPT, LINE
from chronotope.ingest.source import DAY, Input, Source

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FoundInputs:
    """What a night reads of a source."""

    folder: Path  # as given to --input
    files: Mapping[str, list[Path]]  # of each input; files, and folders of part files


def check_inputs(source: Source, input_dir: Path, night: dt.date, previous: dt.date | None) -> FoundInputs:
    """The files of each input that a night reads, found without Spark.

    An input with `{day}` gives the days after `previous`, the last night that read the source, up to the night; where
    none has, all days up to it. The night's own day must be there, and those since `previous`, for none is read later;
    an empty day is an empty file or folder.

    Raises:
        UsageError: for a missing folder, an input of which no file is there, a path that is no day's, a missing day,
            or a night before the first day.
    """
    if not input_dir.is_dir():
        raise UsageError(f"there is no folder {input_dir}: give the one that holds the log to --input")
    found = {}
    for name, rules in source.inputs.items():
        place = f"{source.name}: input {name!r}"
        if Path(rules.path).is_absolute() or (rules.by_day and ".." in Path(rules.path).parts):
            raise UsageError(f"{place}: path {rules.path} must be below the folder that is given to --input")
        files = files_of(input_dir, rules.path.replace(DAY, "[0-9]" * 4 + "-[0-9][0-9]" * 2))
        if not files and not (rules.by_day and day_folder(input_dir, rules.path, night)):
            raise UsageError(
                f"{place}: no file matches {input_dir / rules.path}; correct --input, or path in the source"
            )
        found[name] = days_read(files, input_dir, rules, night, previous, place) if rules.by_day else files
    return FoundInputs(input_dir, found)


def days_read(
    files: list[Path], input_dir: Path, rules: Input, night: dt.date, previous: dt.date | None, place: str
) -> list[Path]:
    """The files that arrived after `previous` up to the night.

    Raises:
        UsageError: when the night's own day is missing, or one since `previous`, or a file is of no day.
    """
    days = {file: day_of(file.relative_to(input_dir), rules.path, place) for file in files}
    since = (night - previous).days if previous else 1
    for day in (night - dt.timedelta(days=ago) for ago in reversed(range(since))):
        if day not in days.values() and not day_folder(input_dir, rules.path, day):
            span = f"its days are {min(days.values())} to {max(days.values())}" if days else "it has no days"
            wanted = input_dir / rules.path.replace(DAY, day.isoformat())
            raise UsageError(
                f"{place}: nothing arrived at {wanted} ({span}); "
                f"{'move --date, or give' if day == night else 'no later night would read it: give'} "
                "an empty folder or file"
            )
    return [file for file, day in days.items() if day <= night and (previous is None or day > previous)]


def day_of(file: Path, path: str, place: str) -> dt.date:
    """The day of a file, of which the path below the input folder matches the input's.

    Raises:
        UsageError: when it names none, such as 2026-02-30.
    """
    match = re.fullmatch(day_pattern(path), file.as_posix())
    try:
        return dt.date.fromisoformat(match[1] if match else "")
    except ValueError as error:
        raise UsageError(f"{place}: {file} is of no day ({path}); move it elsewhere, or correct its name") from error


def files_of(input_dir: Path, pattern: str) -> list[Path]:
    """The files, and the folders of part files, that match a glob; hidden ones and markers like _SUCCESS left out."""
    matches = sorted(path for path in input_dir.glob(pattern) if not path.name.startswith(("_", ".")))
    return [path for path in matches if path.is_file() or any(part.is_file() for part in path.rglob("*"))]


def day_folder(input_dir: Path, path: str, day: dt.date) -> bool:
    """Whether the folder is there that is named by the day; false where only the files' names have it."""
    head = path[: path.index(DAY)] + DAY + path[path.index(DAY) + len(DAY) :].split("/")[0]
    is_file_name = "/" not in path[path.index(DAY) :]
    return not is_file_name and any(p.is_dir() for p in input_dir.glob(head.replace(DAY, day.isoformat())))


def day_pattern(path: str) -> str:
    """A regular expression, for Python and Java, of all paths that match the glob or lie below such a one.

    Its first group is the day.

    >>> re.fullmatch(day_pattern("**/day={day}/*.json"), "eu/day=2026-01-31/part-0.json")[1]
    '2026-01-31'
    """
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", DAY: r"(\d{4}-\d{2}-\d{2})"}
    below = PurePosixPath(path).as_posix().removesuffix("/**")
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\{day\}|\[!?\]?[^]]*\])", below)
    return "".join(words.get(part) or one_of(part) or re.escape(part) for part in parts) + "(?:/.*)?"


def one_of(part: str) -> str:
    """A glob's set of characters as a regular expression; empty for what is none.

    >>> one_of("[!0-8]"), one_of("day")
    ('[^0-8]', '')
    """
    if not (part.startswith("[") and part.endswith("]")):
        return ""
    inner = part[1:-1].removeprefix("!")
    return f"[{'^' if part[1] == '!' else ''}" + re.sub(r"([][\\^&])", r"\\\1", inner) + "]"


def read_inputs(spark: SparkSession, source: Source, found: FoundInputs) -> dict[str, DataFrame]:
    """One lazy frame per input, with `_corrupt_record`, `_line` and `_arrival_day` where they apply.

    CSV follows RFC 4180 unless the options say otherwise. JSON lines are read as text and parsed here, so that a
    refused line is kept as it came. Parquet timestamps without zone stay TIMESTAMP_NTZ, for the source's expression to
    say what clock they mean. Actions on these frames belong inside `plain_errors`.

    Raises:
        SourceError: when an input is not of its format, or is a Delta table of a kind that cannot be read.
    """
    frames = {}
    for name, rules in source.inputs.items():
        try:
            with plain_errors(source):
                frames[name] = read_input(spark, rules, found.files[name], found.folder)
        except AnalysisException as error:
            raise SourceError(f"{source.name}: input {name!r}: {str(error).splitlines()[0]}") from error
    return frames


def read_input(spark: SparkSession, rules: Input, files: list[Path], folder: Path) -> DataFrame:
    """The frame of one input, of which the files lie below the folder."""
    paths = [str(file) for file in files]
    if rules.format == "delta":
        return read_delta(spark, files[0])
    if not paths:
        return spark.createDataFrame([], empty_schema(rules))
    arrival = arrival_day(rules, folder)
    if rules.format == "json":
        lines = spark.read.text(paths).select(F.col("value").alias(LINE), *arrival)
        schema = f"{rules.ddl}, {CORRUPT} STRING"
        options = {**rules.options, "mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT}
        parsed = F.from_json(F.col(LINE), schema, {key: str(value) for key, value in options.items()})
        # A blank line is no record, as for every reader of JSON lines.
        return lines.where(F.trim(LINE) != "").withColumn("parsed", parsed).select("*", "parsed.*").drop("parsed")
    if rules.format == "csv":
        return read_csv(spark, rules, paths).select("*", *arrival)
    reader = spark.read.options(**rules.options)
    if rules.ddl:
        reader = reader.schema(rules.ddl)
    return reader.format(rules.format).load(paths).select("*", *arrival)


def read_csv(spark: SparkSession, rules: Input, paths: list[str]) -> DataFrame:
    """A CSV frame; a line of too many, too few or mistyped fields keeps its text in `_corrupt_record`.

    Raises:
        SourceError: where the columns are in no file and not in the source either.
    """
    options = {"escape": '"', **rules.options, "columnNameOfCorruptRecord": CORRUPT, "mode": "PERMISSIVE"}
    if rules.has_header:
        # Fields go by their names: a file whose header differs from the schema is refused, not read askew.
        options["enforceSchema"] = False
    ddl = rules.ddl
    if ddl is None:
        names = spark.read.options(**rules.options).csv(paths).columns  # of the first file that has a line
        if not names:
            raise SourceError(
                f"{rules.path}: all files are empty: declare a schema, or let an empty day have the header"
            )
        schema = StructType([StructField(name, StringType()) for name in (*names, CORRUPT)])
        return spark.read.options(**options).schema(schema).csv(paths)
    return spark.read.options(**options).schema(f"{ddl}, {CORRUPT} STRING").csv(paths)


def read_delta(spark: SparkSession, path: Path) -> DataFrame:
    """The latest version of a Delta table, through its log.

    Raises:
        SourceError: for a folder that is no Delta table, or one whose features plain Parquet reading would miss.
    """
    if not DeltaTable.is_deltatable(str(path)):
        raise SourceError(f"{path} is no Delta table: it has no _delta_log")
    table = DeltaTable(str(path))
    schema = StructType.fromJson(json.loads(table.schema().to_json()))
    beyond = set(table.protocol().reader_features or []) - {"timestampNtz"}
    if beyond or table.protocol().min_reader_version == 2:
        raise SourceError(f"{path} uses {sorted(beyond) or 'column mapping'}: give a table without, or Parquet files")
    files = table.file_uris()
    if not files:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).option("basePath", str(path)).parquet(*files).select(*schema.names)


def arrival_day(rules: Input, folder: Path) -> list[Column]:
    """The column `_arrival_day` of an input with `{day}`, from where each record's file lies below the folder."""
    if not rules.by_day:
        return []
    # Spark tells a file's address: percent-encoded, but with a plus as it is, which decoding would make a blank.
    file = F.url_decode(F.replace(F.col("_metadata.file_path"), F.lit("+"), F.lit("%2B")))
    below = re.escape(os.path.normpath(folder.absolute()).rstrip("/") + "/")
    return [F.to_date(F.regexp_extract(file, f"^file:/*{below}{day_pattern(rules.path)}$", 1)).alias(ARRIVAL)]


def empty_schema(rules: Input) -> str:
    """The columns of an input on a day without files.

    Raises:
        SourceError: when the source does not declare them.
    """
    ddl = "value STRING" if rules.format == "text" else rules.ddl
    if ddl is None:
        raise SourceError(f"{rules.path} has no file at all: declare its schema, so that an empty day has columns")
    return f"{ddl}, {CORRUPT} STRING, {ARRIVAL} DATE"


@contextmanager
def plain_errors(source: Source) -> Iterator[None]:
    """Turn what Spark raises while it computes a source's columns into errors that say what to change.

    A file that cannot be read may as well be one of the tables: `store.faults` tells which.

    Raises:
        SourceError: for an expression that failed on a record.
    """
    try:
        yield
    except Exception as error:  # the JVM's errors come as py4j's or as Spark's own, by the way that they took
        text = str(error)
        if isinstance(error, AnalysisException):
            raise
        failed = re.search(r"\[([A-Z_]+)[^]]*\] ([^\n]*)SQLSTATE: 22", text)
        if failed:
            raise SourceError(
                f"{source.name}: an expression failed on a record: {failed[2].strip()} In a source, use the try_ form, "
                "so that the record is refused instead"
            ) from error
        raise
