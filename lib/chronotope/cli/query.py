"""`chronotope query`: read-only SQL for people."""

from __future__ import annotations

import re

from chronotope.cli.render import Grid, Reply
from chronotope.errors import UsageError
from chronotope.store.snapshot import Snapshot
from chronotope.store.sql import select

# The engine would also carry out COPY ... TO (which writes files), CREATE EXTERNAL TABLE and SET, the first even
# below EXPLAIN ANALYZE; so the statement's own first words decide, with nothing, not even a comment, before them.
# After SELECT, WITH and VALUES the engine's grammar admits queries only, and it takes one statement at a time.
ALLOWED = re.compile(
    r"""\s* (
        (explain \s+ (analyze \s+)? (verbose \s+)? (format \s+ \w+ \s+)?)? (select | with | values) \b .*
      | show \s+ tables \s* ;? \s*
      | show \s+ columns \s+ from \s+ \w+ \s* ;? \s*
      | desc(ribe)? \s+ \w+ \s* ;? \s*
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def check(sql: str) -> None:
    """Let a reading statement pass.

    Raises:
        UsageError: for any other statement.
    """
    if not ALLOWED.fullmatch(sql):
        raise UsageError(
            "only reading is allowed: begin with SELECT, WITH, VALUES, EXPLAIN, SHOW TABLES, SHOW COLUMNS FROM or "
            f"DESCRIBE, not with {' '.join(sql.split()[:2]) or 'nothing'!r}"
        )


def query(snapshot: Snapshot, sql: str, max_rows: int) -> Reply:
    """The rows that a statement gives, `max_rows` at most.

    Raises:
        UsageError: for a statement that does not only read, or that the engine refuses.
    """
    check(sql)
    answer = select(snapshot, sql, max_rows)
    rows = [[row[name] for name in answer.columns] for row in answer.rows]
    numbers = frozenset(
        name for i, name in enumerate(answer.columns) if any(isinstance(row[i], int | float) for row in rows)
    )
    count = f"{len(rows):,} row{'' if len(rows) == 1 else 's'}"
    note = f"the first {count}; --rows N shows more" if answer.more else count
    data = {"night": snapshot.night, "columns": answer.columns, "rows": answer.rows, "more": answer.more}
    return Reply(data, [Grid("", answer.columns, rows, numbers), note])
