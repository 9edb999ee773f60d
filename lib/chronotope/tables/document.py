"""docs/tables.md, made from the declarations: `python -m chronotope.tables.document > docs/tables.md`."""

from __future__ import annotations

import sys
import textwrap

from chronotope.tables import TABLES, Table

CURRENT = {
    "all": "every row of every night up to that one",
    "latest_night": "the rows of the latest night that wrote any",
    "latest_per_key": "for each key (without `night`), the row of the latest night",
    "latest_per_user": "of each user, the rows of the latest night that wrote any",
}

RENEWED = ", none from before the last refresh (`night.refresh_days`)"

HEAD = """\
# The tables

*Made from the declarations in `lib/chronotope/tables/` by `python -m chronotope.tables.document > docs/tables.md`;
a test fails when this page is stale.*

Every table is partitioned by `night`, the date whose night wrote the row. A night replaces its own partition and no
other. Times are UTC. Which rows stand for a table as of a night is its *current* rule.

## Query them

Below, `tables` is the folder that was given to the jobs as `--tables`.

**With `chronotope`**: read-only SQL over a published night, each table at the version that the night pinned. `NAME`
has the current rows of a table, `NAME_history` those of every night.

```sh
chronotope --tables tables query "SELECT daypart, count(*) FROM recommendations WHERE rank = 1 GROUP BY daypart"
chronotope --tables tables query "DESCRIBE recommendations"
chronotope --tables tables --night 2012-10-31 --json query "SELECT * FROM runs"
```

The other ways read a Delta table's newest version and all nights. Delta has no commit across tables, so while a night
publishes (seconds) they may see some tables of the new night and some of the old; `chronotope` and the next night do
not, for they read the versions in `runs`. To do the same, take `versions` from the row of `runs` with the stage
`night`, as the first example does. After `chronotope compact`, `forget`, `retain`, `rollback` or `vacuum` an older
night names versions that hold later nights too: keep the rows up to its `night`.

**DuckDB**, through delta-rs, for DuckDB's own Delta extension is downloaded at run time:

```python
import duckdb
from deltalake import DeltaTable, QueryBuilder


def rows(name, version=None):
    engine = QueryBuilder().register(name, DeltaTable(f"tables/{name}", version=version))
    return engine.execute(f"SELECT * FROM {name}").read_all()


runs = rows("runs")
[(versions,)] = duckdb.sql("SELECT versions FROM runs WHERE stage = 'night' ORDER BY night DESC LIMIT 1").fetchall()
recommendations = rows("recommendations", versions["recommendations"])
best = duckdb.sql("SELECT user_id, daypart, region, item_id, reason FROM recommendations WHERE rank = 1").fetchall()
```

**Polars**, which goes through delta-rs by itself:

```python
import polars

interests = polars.scan_delta("tables/interests").filter(polars.col("horizon") == "long")
strongest = interests.explode("terms").unnest("terms").group_by("term").agg(polars.len()).sort("len").collect()
```

**Spark**, with the Delta connector for your version of it (`pip install delta-spark`):

```python
from delta import configure_spark_with_delta_pip
from pyspark.sql import SparkSession

builder = (
    SparkSession.builder.config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
)
spark = configure_spark_with_delta_pip(builder).getOrCreate()
spark.read.format("delta").option("versionAsOf", 3).load("tables/recommendations").where("rank = 1").show()
```

With `night.format=parquet` the same folders hold plain Parquet files below `night=D/`: `spark.read.parquet`,
`duckdb.read_parquet` and `polars.scan_parquet` read them, and `chronotope` does.

## What there is
"""


def document() -> str:
    """The page, as Markdown."""
    listing = ["| table | one row per |", "|---|---|"]
    listing += [f"| [{t.name}](#{t.name}) | {t.grain.removeprefix('one row per ')} |" for t in TABLES.values()]
    return "\n".join([HEAD, *listing, "", *[section(table) for table in TABLES.values()]])


def section(table: Table) -> str:
    """One table's part of the page."""
    lines = [
        f"## {table.name}",
        "",
        textwrap.fill(table.purpose, 118),
        "",
        f"- **grain**: {table.grain}",
        f"- **key**: {', '.join(f'`{name}`' for name in table.key)}",
        f"- **current**: {CURRENT[table.current]}{RENEWED if table.renewed else ''}",
        "",
        "| column | type | what it holds |",
        "|---|---|---|",
    ]
    for column in table.columns:
        null = "; may be null" if column.nullable and "null" not in column.comment else ""
        lines.append(f"| `{column.name}` | {spaced(column.type)} | {escaped(column.comment)}{null} |")
    return "\n".join([*lines, ""])


def spaced(type_text: str) -> str:
    """A type with room to wrap after its commas.

    >>> spaced("map<string,double>")
    '`map<string, double>`'
    """
    return f"`{type_text.replace(',', ', ')}`"


def escaped(text: str) -> str:
    r"""Text for a cell of a Markdown table.

    >>> escaped("P(topic | user)")
    'P(topic \\| user)'
    """
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(document())
