"""Carrying out a plan of upkeep: every step can be repeated, so a killed one is finished by who comes next.

The tables' logs first, then `runs`, whose nights name the newest versions from then on, and only then anything is
deleted: whenever the process dies, every published night names files that are there.
"""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from chronotope.store.files import DataFile, measure_file
from chronotope.store.formats import Format, format_of, staging_base
from chronotope.store.manifest import write_json
from chronotope.store.orphans import orphans, remove
from chronotope.store.plan import Plan
from chronotope.store.snapshot import read_rows
from chronotope.tables import TABLES


def carry_out(tables_dir: Path, of: Format, plan: Plan) -> None:
    """Change what the plan says.

    Raises:
        StoreError: when a table cannot be read, or a commit fails; nothing that a published night names is gone then.
        OSError: when the system refuses to write or remove a file.
    """
    for name, part in plan.parts.items():
        of.replace_files(TABLES[name], tables_dir / name, plan.attempt, part.added, part.removed, plan.same_rows)
    pin_newest(tables_dir, of, plan)
    for path, values in plan.manifests.items():
        write_json(tables_dir / path, values)
    for path in plan.delete:
        if (tables_dir / path).exists():
            shutil.rmtree(tables_dir / path)
    for name in plan.trim:
        of.trim(tables_dir / name)
    for name in plan.sweep:
        remove(tables_dir / name, orphans(tables_dir, of, name))


def pin_newest(tables_dir: Path, of: Format, plan: Plan) -> None:
    """Let every published night name the newest versions, in one commit; nights that the plan unpublishes leave."""
    root = tables_dir / TABLES["runs"].name
    version = of.version_of(root)
    nights = of.paths_at(root, version) if version is not None else {}
    newest = {name: of.version_of(tables_dir / name) for name in TABLES}
    base = staging_base(root, str(format_of(tables_dir)))
    added: dict[dt.date, list[DataFile]] = {}
    removed: dict[dt.date, list[str]] = {}
    for night, paths in nights.items():
        if night in plan.unpublish:
            removed[night] = paths
            continue
        target = base / f"night={night}" / plan.attempt / "runs.parquet"
        if write_pinned([root / path for path in paths], target, newest):
            added[night] = [measure_file(TABLES["runs"], base, target)]
            removed[night] = paths
    if removed:
        of.replace_files(TABLES["runs"], root, plan.attempt, added, removed, same_rows=False)


def write_pinned(paths: list[Path], target: Path, newest: dict[str, int | None]) -> bool:
    """Write a night's rows of `runs` again with the newest versions; False, and nothing, when they name those."""
    rows = [row for path in paths for row in read_rows(path)]
    pinned = [{**row, "versions": [(name, newest[name]) for name, _ in row["versions"]]} for row in rows]
    if pinned == rows:
        return False
    schema = pq.ParquetFile(paths[0]).schema_arrow
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(pinned, schema=schema), target)
    return True
