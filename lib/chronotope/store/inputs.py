"""Reading a source's inputs: the only part of Chronotope that looks into the input folder."""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deltalake import DeltaTable
from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from chronotope.errors import SourceError, UsageError
from chronotope.ingest.records import ARRIVAL, CORRUPT, LINE
from chronotope.ingest.source import DAY, Input, Source
from chronotope.store.globs import day_folder, day_pattern, files_of, matches_of

log = logging.getLogger(__name__)

# A line of JSON is parsed as {"chronotope_record": LINE, "chronotope_end": true}. A parser stops after its first whole
# value, and so passes over what stands behind it; here it comes to the end only where nothing does.
ROOM, END = "chronotope_record", "chronotope_end"


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
            a night before the first day, or several Delta tables for one input.
    """
    if not input_dir.is_dir():
        raise UsageError(f"there is no folder {input_dir}: give the one that holds the log to --input")
    found = {}
    for name, rules in source.inputs.items():
        place = f"{source.name}: input {name!r}"
        if Path(rules.path).is_absolute() or (rules.by_day and ".." in Path(rules.path).parts):
            raise UsageError(f"{place}: path {rules.path} must be below the folder that is given to --input")
        matches = matches_of(input_dir, rules.path.replace(DAY, "[0-9]" * 4 + "-[0-9][0-9]" * 2))
        if rules.format == "delta" and len(matches) > 1:
            raise UsageError(
                f"{place}: {rules.path} matches {len(matches)} tables, {matches[0]} and {matches[1]} among them, and a "
                "delta input is one: name it in path, and give each other one an input of its own"
            )
        files = matches if rules.format == "delta" else files_of(matches)
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


def read_inputs(spark: SparkSession, source: Source, found: FoundInputs) -> dict[str, DataFrame]:
    """One lazy frame per input, with `_corrupt_record`, `_line` and `_arrival_day` where they apply.

    CSV follows RFC 4180 unless the options say otherwise, but for one thing: a field with a line break in it takes the
    option `multiLine: true`, without which each of its lines is a record, malformed as a rule. JSON lines are read as
    text and parsed here, so that a refused line is kept as it came. Parquet timestamps without zone stay TIMESTAMP_NTZ,
    for the source's expression to say what clock they mean. Actions on these frames belong inside `plain_errors`.

    Raises:
        SourceError: when an input is not of its format, has columns that cannot be told apart, or is a Delta table of
            a kind that cannot be read.
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
    paths = [spark_path(file, folder, rules) for file in files]
    if rules.format == "delta":
        return read_delta(spark, paths[0])
    if not paths:
        return spark.createDataFrame([], empty_schema(rules))
    arrival = arrival_day(rules, folder)
    if rules.format == "json":
        return read_json(spark, rules, paths, arrival)
    if rules.format == "csv":
        return read_csv(spark, rules, paths).select("*", *arrival)
    reader = spark.read.options(**rules.options)
    if rules.ddl:
        reader = reader.schema(rules.ddl)
    return reader.format(rules.format).load(paths).select("*", *arrival)


def spark_path(file: Path, folder: Path, rules: Input) -> str:
    """A file's path for Spark, which would strike out `link/..` without a look at where the link goes.

    The name stays, for it tells how a file is compressed, and so does all that lies below the folder and tells the day.
    """
    if rules.by_day:
        return str(folder.resolve() / file.relative_to(folder))
    return str(file.parent.resolve() / file.name)


def read_json(spark: SparkSession, rules: Input, paths: list[str], arrival: list[Column]) -> DataFrame:
    """A JSON frame; a line that is not one object of the declared columns keeps its text in `_corrupt_record`."""
    of_lines = {name: str(value) for name, value in rules.options.items() if name.lower() in ("linesep", "encoding")}
    of_values = {name: str(value) for name, value in rules.options.items() if name not in of_lines}
    line = F.col("value")
    if rules.encoding != "UTF-8":  # the reader of text cuts lines by it, and hands on their bytes as they are
        line = F.decode(line.cast("binary"), rules.encoding)
    lines = spark.read.options(**of_lines).text(paths).select(line.alias(LINE), *arrival)
    # A blank line is no record, as for every reader of JSON lines.
    lines = lines.where(~F.trim(LINE).isin("", "\r"))
    # The line break ends a comment, where the options allow them.
    whole = F.concat(F.lit(f'{{"{ROOM}":'), LINE, F.lit(f'\n,"{END}":true}}'))
    schema = StructType().add(ROOM, StructType.fromDDL(rules.ddl or "")).add(END, "boolean").add(CORRUPT, "string")
    options = {**of_values, "mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT}
    parsed = lines.withColumn("parsed", F.from_json(whole, schema, options))
    fault, record, end = (F.col(f"parsed.{name}") for name in (CORRUPT, ROOM, END))
    text = F.when(fault.isNotNull() | record.isNull() | end.isNull(), F.make_valid_utf8(LINE))
    return parsed.select(*lines.columns, f"parsed.{ROOM}.*", text.alias(CORRUPT))


def read_csv(spark: SparkSession, rules: Input, paths: list[str]) -> DataFrame:
    """A CSV frame; a line of too many, too few or mistyped fields keeps its text in `_corrupt_record`.

    Fields go by their names: a file whose header differs from the schema, or from that of the first file that has a
    line, is refused and not read askew, unless the source says `enforceSchema: true`. A column without a name is
    called by its place, `_c0`.

    Raises:
        SourceError: where the columns are in no file and not in the source either, or several have one name.
    """
    options = {"escape": '"', "enforceSchema": not rules.has_header, **rules.options}
    options |= {"columnNameOfCorruptRecord": CORRUPT, "mode": "PERMISSIVE"}
    if rules.ddl is not None:
        return spark.read.options(**options).schema(f"{rules.ddl}, {CORRUPT} STRING").csv(paths)
    names = spark.read.options(**rules.options).csv(paths).columns  # of the first file that has a line
    if not names:
        raise SourceError(f"{rules.path}: all files are empty: declare a schema, or let an empty day have the header")
    renamed = renamed_columns(spark, rules, paths, names)
    if len(renamed) > 1:
        told = ", ".join(f"{name or 'one without a name'} at {names.index(new) + 1}" for new, name in renamed.items())
        raise SourceError(
            f"{rules.path}: the header has several columns of one name, or without one: {told} of {len(names)}; give "
            "each its own name, or declare a schema and options: {enforceSchema: true}, by which columns go by place"
        )
    # The header is compared with the schema, in which a column without a name must have none either.
    schema = StructType([StructField(renamed.get(name, name), StringType()) for name in (*names, CORRUPT)])
    frame = spark.read.options(**options).schema(schema).csv(paths)
    for new, name in renamed.items():
        frame = frame.withColumnRenamed(name, new)
    return frame


def renamed_columns(spark: SparkSession, rules: Input, paths: list[str], names: list[str]) -> dict[str, str]:
    """What the header calls the columns to which Spark gave another name, by that name; empty for one without a name.

    Spark adds its place, from 0, to a name that comes again, also in other case, and calls one without a name `_c`.
    """
    if not any(name.endswith(str(place)) for place, name in enumerate(names)):
        return {}
    as_line = spark.read.options(**{**rules.options, "header": False, "inferSchema": False}).csv(paths)
    cells = as_line.first() or ()
    pairs = enumerate(zip(names, cells, strict=False))  # columns that come from folders' names are in no header
    return {name: cell or "" for place, (name, cell) in pairs if name.endswith(str(place)) and name != cell}


def read_delta(spark: SparkSession, path: str) -> DataFrame:
    """The latest version of a Delta table, through its log.

    Raises:
        SourceError: for a folder that is no Delta table, or one whose features plain Parquet reading would miss.
    """
    if not DeltaTable.is_deltatable(path):
        raise SourceError(f"{path} is no Delta table: it has no _delta_log")
    table = DeltaTable(path)
    schema = StructType.fromJson(json.loads(table.schema().to_json()))
    beyond = set(table.protocol().reader_features or []) - {"timestampNtz"}
    if beyond or table.protocol().min_reader_version == 2:
        raise SourceError(f"{path} uses {sorted(beyond) or 'column mapping'}: give a table without, or Parquet files")
    files = table.file_uris()
    if not files:
        return spark.createDataFrame([], schema)
    return spark.read.schema(schema).option("basePath", path).parquet(*files).select(*schema.names)


def arrival_day(rules: Input, folder: Path) -> list[Column]:
    """The column `_arrival_day` of an input with `{day}`, from where each record's file lies below the folder."""
    if not rules.by_day:
        return []
    # Spark tells a file's address: percent-encoded, but with a plus as it is, which decoding would make a blank.
    file = F.url_decode(F.replace(F.col("_metadata.file_path"), F.lit("+"), F.lit("%2B")))
    below = re.escape(str(folder.resolve()).rstrip("/") + "/")
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
