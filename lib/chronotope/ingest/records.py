"""The source's expressions, evaluated over its inputs: raw records with the columns that the rules judge."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.errors import SourceError
from chronotope.ingest.clock import clock_of, instant_of, known_zone, own_offset, zone_offset
from chronotope.ingest.source import ItemRules, Source

log = logging.getLogger(__name__)

# What reading adds to the source's own columns; an input may lack any of them.
CORRUPT = "_corrupt_record"  # the text of a record that is no CSV or JSON of the declared columns, else null
LINE = "_line"  # the record's text as it came, where the format is text
ARRIVAL = "_arrival_day"  # the day of {day}
APART = "_apart"  # while records are grouped: a number for each malformed one

TEXT_FORMATS = ("csv", "json", "text")  # a file of another format is whole or cannot be read at all
NO_TEXT = "\ufffd"  # what readers put in the place of bytes that are no text in the declared encoding

ITEM_FIELDS = ("title", "text", "category", "language", "lat", "lon", "region", "available")
MARK = "\x1f"  # separates parts of a digest's text: the unit separator occurs in no id


def records_of(inputs: Mapping[str, DataFrame], source: Source) -> DataFrame:
    """One row per record of the events' input, with what the source's expressions make of it.

    Columns: `record` (the whole record as JSON), `malformed` (true where it could not be parsed), `arrival_day` (null
    for a log delivered whole), `key` (as `key_of`), `user_id`, `item_id`, `action`, `region`, `query` (text, null
    where blank), `occurred_at` (UTC), `time_text`, `utc_offset_min`, `readable` (the time is one, and from 1970 on),
    `placeable` (there is an offset or a known zone), `lat`, `lon`, `value` (text, as they came), and `item`, a struct
    of `ITEM_FIELDS` and `order`, null where a catalogue describes the items.

    Raises:
        SourceError: naming the expression, the column that it asks for and what the input has.
    """
    rules = source.events
    frame = prepared(inputs, source, rules.origin)
    sql = rules.columns.model_dump()
    columns = {
        name: evaluated(frame, sql[name], f"{source.name}: events.columns.{name}", rules.origin)
        for name in sql
        if sql[name] is not None
    }
    keys = [evaluated(frame, part, f"{source.name}: events.key", rules.origin) for part in rules.key]
    given = frame.select(
        record_of(frame).alias("record"),
        or_null(frame, CORRUPT, "string").isNotNull().alias("malformed"),
        or_null(frame, ARRIVAL, "date").alias("arrival_day"),
        key_of(keys).alias("key"),
        *[text_of(columns.get(name)).alias(name) for name in ("user_id", "item_id", "action", "region", "query")],
        *[text_of(columns.get(name)).alias(name) for name in ("lat", "lon", "value", "time_zone")],
        columns["occurred_at"].alias("occurred"),
        text_of(columns.get("time_text", columns["occurred_at"])).alias("time_text"),
        text_of(columns.get("utc_offset_min")).alias("offset_text"),
        item_struct(frame, source).alias("item"),
    )
    return with_time(given, source)


def key_of(parts: Sequence[Column]) -> Column:
    """The parts of a key as one text, with a mark for those that are null; null where all of them are."""
    texts = [part.cast("string") for part in parts]
    joined = F.concat_ws(MARK, *[F.coalesce(text, F.lit("\0")) for text in texts])
    # Records that only lack a key have nothing in common.
    return F.when(F.coalesce(*texts).isNotNull(), joined)


def with_time(given: DataFrame, source: Source) -> DataFrame:
    """Turn `occurred`, `offset_text`, `time_zone` and `region` into the columns on time of `records_of`.

    Raises:
        SourceError: when `occurred` is no timestamp and no text.
    """
    kind = given.schema["occurred"].dataType.simpleString()
    if kind not in ("timestamp", "timestamp_ntz", "string"):
        raise SourceError(
            f"{source.name}: events.columns.occurred_at gives {kind}; make it a timestamp, as in timestamp_seconds(...)"
        )
    zone = F.col("time_zone")
    if source.time_zones:
        pairs = F.create_map(*[F.lit(text) for pair in source.time_zones.items() for text in pair])
        zone = F.coalesce(zone, F.try_element_at(pairs, F.col("region")), F.lit(source.time_zones.get("*")))
    placed = given.withColumn("zone", known_zone(zone)).withColumn("own_offset", own_offset(F.col("offset_text")))
    placed = placed.withColumn("clock", clock_of(kind, F.col("occurred")))
    without_offset = F.col("offset_text").isNull()
    instant = instant_of(kind, F.col("clock"), without_offset, F.col("own_offset"), F.col("zone"))
    placed = placed.withColumn("occurred_at", instant)
    offset = F.when(without_offset, zone_offset(F.col("occurred_at"), F.col("zone"))).otherwise(F.col("own_offset"))
    return placed.withColumns(
        {
            "utc_offset_min": offset,
            "readable": F.coalesce(F.col("clock") >= F.timestamp_seconds(F.lit(0)), F.lit(False)),
            "placeable": F.when(without_offset, F.col("zone").isNotNull()).otherwise(F.col("own_offset").isNotNull()),
        }
    ).drop("occurred", "time_zone", "zone", "own_offset", "clock", "offset_text")


def catalogue_of(inputs: Mapping[str, DataFrame], source: Source) -> DataFrame | None:
    """One row per row of the items' own input: `item_id`, `arrival_day` and `item`; None where events describe items.

    Rows that cannot be read, of this input and of those joined with it, are left out: see `broken_rows`.

    Raises:
        SourceError: as in `records_of`.
    """
    if source.items is None or source.items_from_events:
        return None
    inputs = {**inputs, **{name: inputs[name].where(fault_of(inputs[name]).isNull()) for name in fallible(source)}}
    frame = prepared(inputs, source, source.items.origin)
    for join in source.items.join:
        # Without the arrival day: a group that is joined is one over all days.
        right = prepared({join.input: inputs[join.input].drop(CORRUPT, LINE, ARRIVAL)}, source, join.input)
        try:
            frame = frame.join(right, on=join.using, how="left")
        except AnalysisException as error:
            raise SourceError(f"{source.name}: items.join with {join.input}: {cause_of(error, right)}") from error
    item_id = evaluated(
        frame, source.items.columns.item_id, f"{source.name}: items.columns.item_id", source.items.origin
    )
    return frame.select(
        text_of(item_id).alias("item_id"),
        or_null(frame, ARRIVAL, "date").alias("arrival_day"),
        item_struct(frame, source, described=True).alias("item"),
    )


def broken_rows(inputs: Mapping[str, DataFrame], source: Source) -> DataFrame | None:
    """The rows that `catalogue_of` leaves out; None where no input may have any.

    Those of the events' input are not among them: they are records, and judged as such.

    Columns: what `chronotope.ingest.outcome.refused` reads of a judged frame. `user_id` is null, and `record_id` a
    digest of the input's name, too, so that it is none of a record of the log.
    """
    frames = [
        inputs[name]
        .select(record_of(inputs[name]).alias("record"), fault_of(inputs[name]).alias("fault"))
        .where(F.col("fault").isNotNull())
        .select(
            F.md5(F.concat_ws(MARK, F.lit(source.name), F.lit(name), F.col("record"))).alias("record_id"),
            F.lit(source.name).alias("source"),
            F.lit(None).cast("string").alias("user_id"),
            "record",
            F.array("fault").alias("reasons"),
            F.lit("refused").alias("outcome"),
        )
        for name in fallible(source)
        if name != source.events.origin
    ]
    return functools.reduce(DataFrame.unionByName, frames) if frames else None


def fallible(source: Source) -> list[str]:
    """The inputs that a catalogue is made of and that may have rows which cannot be read."""
    if source.items is None or source.items_from_events:
        return []
    names = dict.fromkeys([source.items.origin, *(join.input for join in source.items.join)])
    return [name for name in names if source.inputs[name].format in TEXT_FORMATS]


def fault_of(frame: DataFrame) -> Column:
    """Why a row cannot be read, whatever it is about: `malformed` or `wrong_encoding`; null where it can."""
    malformed = or_null(frame, CORRUPT, "string").isNotNull()
    # Asked of the whole record: where only some columns of a CSV line are asked for, Spark does not count its fields.
    return F.when(malformed, "malformed").when(F.contains(record_of(frame), F.lit(NO_TEXT)), "wrong_encoding")


def item_struct(frame: DataFrame, source: Source, described: bool = False) -> Column:
    """The item's description as a struct of `ITEM_FIELDS` and `order`; null unless this frame describes items."""
    if source.items is None or not (described or source.items_from_events):
        return F.lit(None).cast("struct<" + ",".join(f"{name}:string" for name in (*ITEM_FIELDS, "order")) + ">")
    rules: ItemRules = source.items
    sql = rules.columns.model_dump()
    fields = []
    for name in ITEM_FIELDS:
        known = sql[name] is not None
        value = evaluated(frame, sql[name], f"{source.name}: items.columns.{name}", rules.origin) if known else None
        if name == "available" and value is not None:
            check_boolean(frame, value, f"{source.name}: items.columns.{name} ({sql[name]})")
        fields.append(text_of(value).alias(name))
    order = evaluated(frame, rules.order or "cast(null as string)", f"{source.name}: items.order", rules.origin)
    return F.struct(*fields, order.alias("order"))


def check_boolean(frame: DataFrame, value: Column, place: str) -> None:
    """Refuse a value that is not true, false or null.

    Raises:
        SourceError: naming the expression and what it gives.
    """
    kind = frame.select(value).schema[0].dataType.simpleString()
    if kind not in ("boolean", "void"):
        raise SourceError(f"{place} gives {kind}; make it a boolean, as in stock > 0")


def prepared(inputs: Mapping[str, DataFrame], source: Source, name: str) -> DataFrame:
    """One input, grouped where the source says so, within each arrival day.

    A record that could not be parsed is a group of its own, with its text and nulls in place of the aggregates.

    Raises:
        SourceError: as in `records_of`.
    """
    frame, rules = inputs[name], source.inputs[name]
    if not rules.group_by:
        return frame
    columns = {column: F.expr(sql) for column, sql in rules.columns.items()}
    keys = [*rules.group_by, *[key for key in (ARRIVAL,) if key in frame.columns and key not in rules.group_by]]
    grouped = frame
    if CORRUPT in frame.columns:
        malformed = F.col(CORRUPT).isNotNull()
        # Asked of the whole record, as in `fault_of`.
        text = F.when(malformed & record_of(frame).isNotNull(), F.col(CORRUPT))
        grouped = frame.withColumns({CORRUPT: text, APART: F.when(malformed, F.monotonically_increasing_id())})
        keys += [CORRUPT, APART]
        # So that what every sound group has, such as a first element, may be asked for.
        columns = {column: F.when(F.col(CORRUPT).isNull(), value) for column, value in columns.items()}
    try:
        return grouped.groupBy(*keys).agg(*[value.alias(column) for column, value in columns.items()]).drop(APART)
    except AnalysisException as error:
        raise SourceError(f"{source.name}: inputs.{name}.columns: {cause_of(error, frame)}") from error


def evaluated(frame: DataFrame, sql: str, place: str, origin: str) -> Column:
    """The column of a SQL expression, tried on the frame now so that the error can name it.

    Raises:
        SourceError: when it does not parse or asks for what the input has not.
    """
    try:
        column = F.expr(sql)
        frame.select(column)
    except AnalysisException as error:
        raise SourceError(f"{place} ({sql}) over input {origin!r}: {cause_of(error, frame)}") from error
    return column


def cause_of(error: AnalysisException, frame: DataFrame) -> str:
    """Why Spark refused an expression, and what the input has."""
    # Quoted, for a file without its header has a record in its place, and no log may show that.
    has = ", ".join(repr(name) for name in frame.columns if name not in (CORRUPT, LINE, ARRIVAL))
    condition, parts = error.getCondition() or "", error.getMessageParameters() or {}
    if condition.startswith("UNRESOLVED_") and "objectName" in parts:
        return f"there is no column {parts['objectName']}; the input has {has}"
    message = str(error).strip().splitlines()[0]
    return f"{message}; the input has {has}"


def record_of(frame: DataFrame) -> Column:
    """The whole record as JSON: its line where that is JSON, else an object of all its columns."""
    if LINE not in frame.columns:
        return F.to_json(F.struct(*[F.col(f"`{name}`") for name in frame.columns if name != ARRIVAL]))
    line = F.make_valid_utf8(LINE)
    return F.when(F.col(CORRUPT).isNull(), line).otherwise(F.to_json(F.struct(line.alias(CORRUPT))))


def or_null(frame: DataFrame, name: str, kind: str) -> Column:
    """A column of the frame, or nulls of a type where the frame has none of that name."""
    return F.col(name) if name in frame.columns else F.lit(None).cast(kind)


def text_of(column: Column | None) -> Column:
    """A column as text, null where blank."""
    text = (F.lit(None) if column is None else column).cast("string")
    return F.when(F.trim(text) != "", text)
