"""What a table is: columns with types, units and a sentence each, a key, a grain; and the check against it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from chronotope.errors import SchemaError

if TYPE_CHECKING:  # the `chronotope` command reads the declarations and must start without Spark
    from pyspark.sql import DataFrame
    from pyspark.sql.types import DataType, StructType

Current = Literal["all", "latest_night", "latest_per_key", "latest_per_user"]


@dataclass(frozen=True)
class Column:
    """One column: its Spark type as DDL text, what it holds (with the unit), and whether it may be null."""

    name: str
    type: str
    comment: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """One table of the night.

    Every table is partitioned by `night`, and a night replaces its own partition only. `current` says which rows
    stand for the table as of a night: `all` of them up to that night, those of the `latest_night`, the
    `latest_per_key` (the row of the latest night for each key, the key without `night`), or the `latest_per_user` (of
    each user the rows of the latest night that has any). A `renewed` table is written anew by every refresh night
    (`night.refresh_days`), all that earlier nights said included: no row from before the last refresh stands.
    """

    name: str
    purpose: str
    grain: str
    key: tuple[str, ...]
    current: Current
    columns: tuple[Column, ...]
    renewed: bool = False

    @property
    def names(self) -> list[str]:
        """The column names, in order."""
        return [column.name for column in self.columns]

    def schema(self) -> StructType:
        """The Spark schema, in the declared order; every field is nullable, as Parquet readers see it."""
        from pyspark.sql.types import StructField, StructType

        return StructType([StructField(c.name, parse_type(c.type), True) for c in self.columns])

    def check(self, frame: DataFrame) -> None:
        """Compare a frame's columns and types with the declaration.

        Raises:
            SchemaError: naming every missing, unexpected and wrongly typed column at once.
        """
        faults = self.faults(frame)
        if faults:
            raise SchemaError(f"table {self.name}: " + "; ".join(faults))

    def faults(self, frame: DataFrame) -> list[str]:
        """Every difference between a frame and the declaration, one sentence each; empty when there is none."""
        found = {field.name: field.dataType for field in frame.schema.fields}
        faults = [f"column {c.name} ({c.type}) is missing" for c in self.columns if c.name not in found]
        faults += [f"column {name} is not declared" for name in found if name not in self.names]
        for column in self.columns:
            if column.name in found and not same_type(found[column.name], parse_type(column.type)):
                actual = found[column.name].simpleString()
                faults.append(f"column {column.name} is {actual}, declared {column.type}")
        return faults

    def conform(self, frame: DataFrame) -> DataFrame:
        """The frame checked and in the declared column order.

        Raises:
            SchemaError: as in `check`.
        """
        self.check(frame)
        return frame.select(*self.names)


def parse_type(text: str) -> DataType:
    """The Spark type of a text such as `array<struct<term:string,weight:double>>`, without a JVM.

    >>> parse_type("map<string,array<bigint>>").simpleString()
    'map<string,array<bigint>>'
    """
    from pyspark.sql.types import ArrayType, MapType, StructField, StructType

    if text in atoms():
        return atoms()[text]
    kind, _, inner = text.removesuffix(">").partition("<")
    parts = split_top(inner)
    if kind == "array":
        return ArrayType(parse_type(inner))
    if kind == "map":
        return MapType(parse_type(parts[0]), parse_type(parts[1]))
    fields = [part.split(":", 1) for part in parts]
    return StructType([StructField(name, parse_type(of)) for name, of in fields])


@lru_cache
def atoms() -> dict[str, DataType]:
    """The simple types, by their DDL text."""
    from pyspark.sql import types as t

    simple = (
        t.StringType(), t.IntegerType(), t.LongType(), t.DoubleType(), t.FloatType(), t.BooleanType(), t.DateType(),
        t.TimestampType(),
    )  # fmt: skip
    return {of.simpleString(): of for of in simple}


def split_top(text: str) -> list[str]:
    """Split at the commas that are inside no angle brackets.

    >>> split_top("a:int,b:map<string,int>")
    ['a:int', 'b:map<string,int>']
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "<") - (letter == ">")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def same_type(left: DataType, right: DataType) -> bool:
    """Whether two types are equal, nullability aside.

    >>> same_type(parse_type("array<int>"), parse_type("array<bigint>"))
    False
    """
    return left.simpleString() == right.simpleString()
