"""Which rows of a data file name a user."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from chronotope.errors import StoreError
from chronotope.store.rewrite import BATCH_ROWS
from chronotope.tables import Table


def names_users(table: Table) -> bool:
    """Whether rows of a table name users: in `user_id`, or in the whole `record` of a source."""
    return not {"user_id", "record"}.isdisjoint(table.names)


def rows_naming(path: Path, user: str) -> int:
    """How many rows of a file name a user; row groups whose bounds exclude the user are not read.

    Raises:
        StoreError: when the file is gone or no Parquet.
    """
    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        columns = [n for n in ("user_id", "source", "record") if n in names] if "record" in names else ["user_id"]
        groups = [g for g in range(file.num_row_groups) if may_name(file.metadata.row_group(g), user)]
        batches = file.iter_batches(batch_size=BATCH_ROWS, row_groups=groups, columns=columns)
        return sum(pc.sum(naming(batch, user)).as_py() or 0 for batch in batches)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"cannot search {path}: {error}") from error


def may_name(group: pq.RowGroupMetaData, user: str) -> bool:
    """Whether a row group may name a user: its bounds of `user_id` admit it or are not there, or rows have none."""
    for index in range(group.num_columns):
        column = group.column(index)
        if column.path_in_schema == "user_id" and column.statistics is not None and column.statistics.has_min_max:
            within = column.statistics.min <= user <= column.statistics.max
            return bool(within or column.statistics.null_count != 0)  # None where they were not counted
    return True


def naming(batch: pa.RecordBatch, user: str) -> pa.Array:
    """For each row, whether it names a user: by its `user_id`, else by what its `record` says in any place.

    Files of `rejects` that were written before it had the column have only the record.
    """
    columns = {name: batch.column(name) for name in ("user_id", "source", "record") if name in batch.schema.names}
    if "record" not in columns:
        return pc.fill_null(pc.equal(columns["user_id"], user), False)
    users = columns["user_id"].to_pylist() if "user_id" in columns else [None] * batch.num_rows
    sources, records = (columns[name].to_pylist() for name in ("source", "record"))
    ids = {source: id_in(source, user) for source in set(sources)}
    found = [
        bool(ids[source] and mentions(record, ids[source])) if named is None else named == user
        for named, source, record in zip(users, sources, records, strict=True)
    ]
    return pa.array(found, pa.bool_())


def others(batch: pa.RecordBatch, user: str) -> pa.Array:
    """For each row, whether it does not name a user."""
    return pc.invert(naming(batch, user))


def id_in(source: str, user: str) -> str:
    """The user's own id in a source; empty in those of other users.

    >>> id_in("shop", "shop:a:1"), id_in("cafe", "shop:a:1")
    ('a:1', '')
    """
    return user.removeprefix(f"{source}:") if user.startswith(f"{source}:") else ""


def mentions(record: str, raw_id: str) -> bool:
    r"""Whether a record, as JSON text, has an id as a value or a word of one, not in a longer word, number or time.

    >>> values = ('"47"', "47", "47.0", '"user 47"', "4.47", '"47-a"', "470", '"09:47:00"')
    >>> [mentions('{"user":%s}' % value, "47") for value in values]
    [True, True, True, True, False, False, False, False]
    >>> [mentions('{"user":"%s"}' % value, "a/é") for value in ("a/é", r"a\/é", r"a/\u00e9", r"\u0061/\u00E9", "a")]
    [True, True, True, True, False]
    """
    # An id that is nowhere as it is can only be where something is escaped.
    return (raw_id in record or "\\" in record) and pattern_of(raw_id).search(record) is not None


@functools.lru_cache
def pattern_of(raw_id: str) -> re.Pattern[str]:
    r"""What finds an id in JSON text; what is escaped before it, such as the \t of a line with tabs, is no letter."""
    text = "".join(map(pattern_of_letter, raw_id))
    before, after = (r"(?<!\d:)", r"(?!:\d)") if raw_id.isdecimal() else ("", "")  # hours, minutes and seconds
    return re.compile(rf"(?:(?<![\w-])|(?<=\\[bfnrt]))(?<!\d\.){before}{text}(?:\.0+)?(?![\w-]|\.\d){after}")


def pattern_of_letter(letter: str) -> str:
    r"""What finds a letter in JSON text: as it is, or escaped, in a record within a record more than once.

    >>> print(pattern_of_letter("é"), pattern_of_letter("/"), pattern_of_letter('"'))
    (?:é|\\+u(?i:00e9)) (?:\\*/|\\+u(?i:002f)) (?:\\+"|\\+u(?i:0022))
    """
    plain = json.dumps(letter, ensure_ascii=False)[1:-1]
    as_it_is = rf"\\+{re.escape(plain[1:])}" if plain != letter else re.escape(letter)
    if letter == "/":  # some writers escape it, which none has to
        as_it_is = r"\\*/"
    units = letter.encode("utf-16-be", "surrogatepass").hex(" ", 2).split()
    escaped = "".join(rf"\\+u(?i:{unit})" for unit in units)
    return rf"(?:{as_it_is}|{escaped})"
