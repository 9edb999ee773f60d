"""A source: one YAML file that says how a log becomes events and items, without code.

The format, with every key (those marked * are needed):

```yaml
name: shop                       # * lower case, digits and _; ids become `shop:<id>`
description: one sentence        # *
inputs:                          # * one entry per file set or table
  log:
    path: events/{day}/*.json.gz # * glob below --input; with {day} (2026-01-31) the log is delivered by arrival day, on
                                 #   the clock of setting night.time_zone. A folder stands for all files below it;
                                 #   names that begin with _ or . are passed over
    format: json                 # * csv, json (one object per line), text (one column `value`), parquet or delta
    options: {sep: ","}          #   Spark's reader options; of json, those that have an effect on a line, lineSep, and
                                 #   encoding UTF-8 or ISO-8859-1
    schema: "user STRING, ..."   #   Spark DDL; needed for json and for csv without header. STRING is best for what may
                                 #   be broken: a value that does not fit its type makes the record `malformed`. But
                                 #   JSON's numbers with point or exponent are rewritten in a STRING (1.10 to 1.1, 1e5
                                 #   to 100000.0): ids of this kind must come as text, or be DECIMAL
  tags:
    path: tags.parquet
    format: parquet
    group_by: [movie]            #   one row per group, and per arrival day, with aggregates as columns; use
    columns: {tags: "..."}       #   sort_array(collect_list(..)), for collect_list alone has no fixed order
events:                          # *
  from: log                      # * an input
  key: [order_id, line]          # * SQL over the input's columns: records of equal key and time are the same event;
                                 #   where all of the key is null, records of equal text
  identical: same                # * same: the first is taken, the others are refused as duplicate;
                                 #   separate: each is an event of its own (two equal lines of an invoice)
  columns:                       # * SQL over the input's columns, one for each column
    user_id: user                # *
    item_id: item                # * 'null' when the log has none; a record with a `query` needs no item
    action: lower(what)          # * one of ingest.actions
    occurred_at: at              # * TIMESTAMP: the instant. TIMESTAMP_NTZ: the local clock where it happened. Text:
                                 #   ISO 8601, UTC where it names no offset
    time_text: at_raw            #   the time as it came, where occurred_at parses it: tells unreadable from missing
    utc_offset_min: offset       #   local time less UTC in minutes; needed, or time_zone, or time_zones below
    time_zone: "'Europe/Paris'"  #   IANA name
    lat: lat                     #   degrees; number or text
    lon: lon
    region: city                 #   name of a city, country, store
    value: price                 #   a rating, a price, a quantity; number or text
    query: search_text
items:                           #   without it, items have ids only
  from: log                      # * the events' input: described by the accepted events; another: a catalogue
  join: [{input: tags, using: [movie]}]  # left joins on columns of the same name
  order: updated_at              #   SQL: of several rows of one item, the one with the largest value describes it
  columns:
    item_id: item                # *
    title: name
    text: concat_ws('. ', name, description)  # what models read; without it, the title
    category: kind
    language: lang               #   without it, the script of most letters: Latn, Hani, Arab, ...
    lat: lat
    lon: lon
    region: city
    available: stock > 0         #   BOOLEAN: false while nobody can have it; lists go by what was said up to the last
                                 #   refresh night (night.refresh_days). Null says nothing, and so does a catalogue
                                 #   that leaves an item out
time_zones:                      #   region -> IANA name, for records without offset or zone of their own; * is the rest
  "*": Europe/London
settings:                        #   what differs from conf/chronotope.yaml for this log
  sessions: {gap_s: 1800.0}
```

Several rows of one item: one with text and place goes first, then one with a text, then one that says anything else,
then the latest arrival day, the largest `order` (where there is none: the newest event), then the largest values of the
columns; the choice never depends on the order of rows. A night chooses between its own rows and what the nights before
knew of the item in the same way, its own being later; but a catalogue without `{day}` replaces what it said before.
Whether an item is `available` is told by the last row, by arrival day and `order`, that says so (true before false).
ANSI SQL is on, so write try_cast, try_to_timestamp and try_divide: a record that cannot be cast must become a refused
record and not end the night.

How a log arrives: with `{day}` a night reads the days after the night before up to its own, an event at or after its
arrival day's end is refused as `after_night`, one older than that end less `late_days` (at least one, the day itself)
as `too_late`, and a copy of one already taken as `duplicate`. Without `{day}` the whole log is there each night: what
is taken already is passed over, and what is at or after the night's end waits for its own night.

A row of a catalogue that cannot be read (`malformed`, `wrong_encoding`) describes nothing. It is kept in `rejects`,
once, as a refused record is; the alarm on rejects counts it, `ingest.max_reject_share` does not, for it costs no event.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from chronotope.config import Section, nearest, read_yaml
from chronotope.errors import SettingsError, SourceError

DAY = "{day}"

# Spark's options that do something where JSON is read line by line and each line parsed into the declared columns.
JSON_OPTIONS = (
    "allowBackslashEscapingAnyCharacter", "allowComments", "allowNonNumericNumbers", "allowNumericLeadingZeros",
    "allowSingleQuotes", "allowUnquotedControlChars", "allowUnquotedFieldNames", "dateFormat",
    "enableDateTimeParsingFallback", "encoding", "lineSep", "locale", "maxNestingDepth", "maxNumLen", "maxStringLen",
    "timestampFormat", "timestampNTZFormat", "timeZone",
)  # fmt: skip
JSON_ENCODINGS = ("UTF-8", "ISO-8859-1")


class Input(Section):
    """One file set or table below the input folder."""

    path: str
    format: Literal["csv", "json", "text", "parquet", "delta"]
    options: dict[str, str | bool | int] = Field(default_factory=dict)
    ddl: str | None = Field(default=None, alias="schema")
    group_by: list[str] = Field(default_factory=list)
    columns: dict[str, str] = Field(default_factory=dict)

    @property
    def by_day(self) -> bool:
        """Whether the input arrives in one piece per day."""
        return DAY in self.path

    @property
    def has_header(self) -> bool:
        """Whether a CSV input names its columns in each file's first line."""
        return str(self.options.get("header", False)).lower() == "true"

    @property
    def encoding(self) -> str:
        """The encoding of a JSON input, in capitals."""
        return next((str(value) for name, value in self.options.items() if name.lower() == "encoding"), "UTF-8").upper()

    @model_validator(mode="after")
    def findable(self) -> Input:
        """Refuse a path that is no glob."""
        parts = PurePosixPath(self.path).parts
        if not parts:
            raise ValueError(f"path {self.path!r} names nothing: give a file, a folder or a glob below --input")
        if any("**" in part and part != "**" for part in parts):
            raise ValueError(f"path {self.path}: ** stands for folders, alone between slashes, as in **/*.json")
        return self

    @model_validator(mode="after")
    def readable(self) -> Input:
        """Refuse an input whose columns could not be known before its data is."""
        if self.ddl is None and (self.format == "json" or (self.format == "csv" and not self.has_header)):
            raise ValueError("needs a schema: json, and csv without header, do not name their columns")
        if self.format == "delta" and self.by_day:
            raise ValueError("a delta input is one table: its path takes no {day}")
        if bool(self.group_by) != bool(self.columns):
            raise ValueError("group_by and columns belong together: give both or none")
        return self

    @model_validator(mode="after")
    def effective(self) -> Input:
        """Refuse options of a JSON input that would do nothing."""
        if self.format != "json":
            return self
        known = {name.lower() for name in JSON_OPTIONS}
        for name in self.options:
            if name.lower() == "multiline":
                raise ValueError(f"option {name} has no effect on json: put each object on a line of its own (jq -c .)")
            if name.lower() not in known:
                raise ValueError(
                    f"option {name} has no effect on json, of which each line is parsed into the schema: "
                    f"leave it out{nearest(name, dict.fromkeys(JSON_OPTIONS))}"
                )
        if self.encoding not in JSON_ENCODINGS:
            raise ValueError(f"json in {self.encoding} cannot be read: have it in one of {', '.join(JSON_ENCODINGS)}")
        return self


class Join(Section):
    """A left join with another input on columns of the same name."""

    input: str
    using: list[str] = Field(min_length=1)


class EventColumns(Section):
    """A Spark SQL expression for each column of an event."""

    user_id: str
    item_id: str
    action: str
    occurred_at: str
    time_text: str | None = None
    utc_offset_min: str | None = None
    time_zone: str | None = None
    lat: str | None = None
    lon: str | None = None
    region: str | None = None
    value: str | None = None
    query: str | None = None


class EventRules(Section):
    """Where events come from and when two records are the same event."""

    origin: str = Field(alias="from")
    key: list[str] = Field(min_length=1)
    identical: Literal["same", "separate"]
    columns: EventColumns


class ItemColumns(Section):
    """A Spark SQL expression for each column of an item."""

    item_id: str
    title: str | None = None
    text: str | None = None
    category: str | None = None
    language: str | None = None
    lat: str | None = None
    lon: str | None = None
    region: str | None = None
    available: str | None = None


class ItemRules(Section):
    """Where items come from."""

    origin: str = Field(alias="from")
    join: list[Join] = Field(default_factory=list)
    order: str | None = None
    columns: ItemColumns


class Source(Section):
    """One log: its inputs, and how their columns become events and items."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    inputs: dict[str, Input] = Field(min_length=1)
    events: EventRules
    items: ItemRules | None = None
    time_zones: dict[str, str] = Field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("time_zones")
    @classmethod
    def known_zones(cls, zones: dict[str, str]) -> dict[str, str]:
        """Refuse names that the IANA database has not."""
        known = available_timezones()
        wrong = {region: name for region, name in zones.items() if name not in known}
        if wrong:
            raise ValueError(f"no IANA time zones: {wrong}")
        return zones

    @model_validator(mode="after")
    def whole(self) -> Source:
        """Refuse references to inputs that are not there, and events without local time."""
        named = [self.events.origin]
        if self.items:
            named += [self.items.origin, *(join.input for join in self.items.join)]
        for name in named:
            if name not in self.inputs:
                raise ValueError(f"there is no input {name!r}{nearest(name, self.inputs)}")
        columns = self.events.columns
        if not (columns.utc_offset_min or columns.time_zone or self.time_zones):
            raise ValueError("events need local time: give events.columns utc_offset_min or time_zone, or time_zones")
        return self

    @property
    def by_day(self) -> bool:
        """Whether events arrive in one piece per day."""
        return self.inputs[self.events.origin].by_day

    @property
    def items_from_events(self) -> bool:
        """Whether an item is described by the records of its events."""
        return self.items is not None and self.items.origin == self.events.origin and not self.items.join


def load_source(path: Path) -> Source:
    """Read a source file.

    Raises:
        SourceError: for a missing file, bad YAML, an unknown or missing key (with the nearest known one), a wrong
            type or a reference to an input that is not there; all faults at once.
    """
    try:
        return Source.model_validate(read_yaml(path))
    except SettingsError as error:
        raise SourceError(str(error)) from error
    except ValidationError as error:
        raise SourceError(f"{path}: " + "; ".join(fault_text(fault) for fault in error.errors())) from error


def fault_text(fault: Any) -> str:
    """One pydantic fault in words.

    >>> fault_text({"loc": ("events", "kye"), "type": "extra_forbidden", "input": 1, "msg": ""})
    "unknown key events.kye; did you mean 'key'?"
    """
    place = ".".join(str(part) for part in fault["loc"]) or "source"
    if fault["type"] == "extra_forbidden":
        return f"unknown key {place}{nearest(str(fault['loc'][-1]), keys_at(fault['loc'][:-1]))}"
    if fault["type"] == "missing":
        return f"{place} is missing"
    if fault["type"] == "value_error":
        return f"{place}: {fault['msg'].removeprefix('Value error, ')}"
    return f"{place} = {fault['input']!r}: {fault['msg']}"


def keys_at(loc: tuple[str | int, ...]) -> dict[str, Any]:
    """The keys that a source file may have at a place, with their fields.

    >>> list(keys_at(("items", "join", 0)))
    ['input', 'using']
    """
    rooms: dict[str, type[BaseModel]] = {
        "": Source, "inputs": Input, "events": EventRules, "items": ItemRules, "events.columns": EventColumns,
        "items.columns": ItemColumns, "items.join": Join,
    }  # fmt: skip
    # An input's name and a join's number are places without keys of their own.
    names = loc[:1] if loc[:1] == ("inputs",) else tuple(part for part in loc if isinstance(part, str))
    model = rooms[".".join(str(name) for name in names)]
    return {field.alias or name: field for name, field in model.model_fields.items()}
