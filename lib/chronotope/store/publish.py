"""Publishing a night: every table's log is committed, one after the other, and the `runs` row last.

The plan is on disk before the first commit, and each commit can be repeated without harm: a process that is killed
in between leaves a plan that the next one carries out (`roll_forward`) before it does anything else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chronotope import __version__
from chronotope.errors import StoreError
from chronotope.flow import STAGES
from chronotope.store.carry_out import carry_out
from chronotope.store.files import DataFile, measure
from chronotope.store.formats import Format, staging_base
from chronotope.store.manifest import Staged, write_json
from chronotope.store.plan import Plan
from chronotope.store.snapshot import snapshots
from chronotope.tables import TABLES

if TYPE_CHECKING:
    from chronotope.store.night import Night

log = logging.getLogger(__name__)

PLAN = Path("_night") / "publishing.json"


def publish(night: Night) -> None:
    """Publish all that the night's finished stages, and the one that runs, staged.

    Raises:
        StoreError: when a stage has not run, or a commit fails; what was not committed yet is carried out by the next
            process that opens these tables.
    """
    write_json(night.tables_dir / PLAN, plan_of(night))
    roll_forward(night.tables_dir, night.format)


def plan_of(night: Night) -> dict[str, Any]:
    """All that publishing needs to know, as JSON.

    Raises:
        StoreError: when a stage has not run.
    """
    done = {manifest.stage for manifest in night.manifests()}
    undone = [stage for stage in STAGES if stage not in done]
    if undone:
        raise StoreError(f"night {night.date} cannot be published: {', '.join(undone)} have not run")
    model, decision = chosen_model(night)
    return {
        "night": str(night.date),
        "format": night.settings.night.format,
        "tables": {
            name: {"attempt": staged.attempt, "files": [file.to_dict() for file in staged.files]}
            for name, staged in {**night.staged(), **dict.fromkeys(left_over(night), Staged(night.attempt, ()))}.items()
        },
        "rows": run_rows(night, model, decision),
        "versions": dict(night.before.versions) if night.before else {},
    }


def left_over(night: Night) -> list[str]:
    """The tables that the night has not staged, and has rows in from a run of it that is over: none of them may stay.

    One that was a refresh leaves models, ranks and terms, and the next run of that night need not be one.
    """
    of, found = night.format, []
    for name in sorted(TABLES.keys() - night.staged().keys() - {"runs"}):
        root = night.tables_dir / name
        version = of.version_of(root)
        if version is not None and night.date in of.paths_at(root, version):
            found.append(name)
    return found


def roll_forward(tables_dir: Path, of: Format) -> dt.date | None:
    """Carry out the plan of a night or of upkeep that lies in the folder, if one does; the night, if it is one's."""
    path = tables_dir / PLAN
    if not path.is_file():
        return None
    plan = json.loads(path.read_text(encoding="utf-8"))
    if "upkeep" in plan:
        carry_out(tables_dir, of, Plan.from_dict(plan))
        path.unlink()
        return None
    night = dt.date.fromisoformat(plan["night"])
    versions = {**plan["versions"], **newest_versions(tables_dir, of, night)}
    for name, part in plan["tables"].items():
        files = [DataFile.from_dict(file) for file in part["files"]]
        versions[name] = of.replace_night(TABLES[name], tables_dir / name, night, part["attempt"], files)
    write_runs(tables_dir, of, plan, versions)
    for name in (*plan["tables"], TABLES["runs"].name):
        of.settle(tables_dir / name)
    path.unlink()
    return night


def finish_before(tables_dir: Path, of: Format, date: dt.date) -> dt.date | None:
    """Carry out a plan that lies in the folder, before the night of `date` begins.

    A plan of that very night that cannot be carried out is no obstacle: the night is about to be made anew. The plan
    stays until then, for some of its commits may be done, and no later night may come upon them.

    Returns:
        the night whose plan it was, which is published now; None where there was none.

    Raises:
        StoreError: when another night's plan cannot be carried out.
    """
    path = tables_dir / PLAN
    try:
        return roll_forward(tables_dir, of)
    except StoreError as error:
        plan = json.loads(path.read_text(encoding="utf-8"))
        if "upkeep" in plan:
            raise StoreError(f"`chronotope {plan['upkeep']}` was not finished, and cannot be now: {error}") from error
        planned = plan["night"]
        if planned != str(date):
            raise StoreError(
                f"night {planned} was not published to the end, and cannot be now: {error}; run that night again"
            ) from error
        log.warning("night %s was not published to the end; what is missing is made again", planned)
        return None


def newest_versions(tables_dir: Path, of: Format, night: dt.date) -> dict[str, int]:
    """The versions that the same night published before, when it runs again."""
    again = [s for s in snapshots(tables_dir) if s.night == night]
    return dict(again[-1].versions) if again else {}


def chosen_model(night: Night) -> tuple[str | None, str | None]:
    """The model that made the night's tables and why; None, None where there are no models."""
    if "models" not in night.staged():
        return kept_model(night)
    rows = night.rows("models").where("chosen").select("model_id", "decision").take(1)
    return (rows[0]["model_id"], rows[0]["decision"]) if rows else (None, None)


def kept_model(night: Night) -> tuple[str | None, str | None]:
    """The model of the latest refresh, for a night that is none."""
    if night.before is None or night.refreshed_before is None:
        return None, None
    return night.before.run["model"], f"the model of refresh {night.refreshed_before} stands"


def run_rows(night: Night, model: str | None, decision: str | None) -> list[dict[str, Any]]:
    """The night's rows of `runs`: one per stage, and the one that publishes; versions are filled in later."""
    shared: dict[str, Any] = {
        "status": "published",
        "model": model,
        "decision": decision,
        "config_digest": night.settings.digest(),
        "code_version": __version__,
    }
    told = ("stage", "seconds", "rows", "bytes_written", "peak_memory_bytes", "finished_at")
    manifests = list(night.manifests())
    shared["sources"] = manifests[0].made_from.get("sources", "").split() or None
    rows = [{**shared, **{name: getattr(manifest, name) for name in told}} for manifest in manifests]
    return [*rows, {**shared, **night_row(rows)}]


def night_row(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the stages' rows come to: sums, and the most memory of any; null where no stage has measured it."""
    peaks = [row["peak_memory_bytes"] for row in rows if row["peak_memory_bytes"] is not None]
    return {
        "stage": "night",
        "seconds": sum(row["seconds"] for row in rows),
        "rows": {name: count for row in rows for name, count in row["rows"].items()},
        "bytes_written": sum(row["bytes_written"] for row in rows),
        "peak_memory_bytes": max(peaks, default=None),
        "finished_at": rows[-1]["finished_at"],
    }


def write_runs(tables_dir: Path, of: Format, plan: dict[str, Any], versions: dict[str, int]) -> None:
    """Write and commit the night's `runs` rows: the moment from which readers see the night.

    Rows that are committed already, by a process that was killed before it took the plan away, stay as they are: a
    file that readers use is not written again.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyspark.sql.pandas.types import to_arrow_schema

    table = TABLES["runs"]
    root = tables_dir / table.name
    attempt = attempt_of(plan["tables"])
    base = staging_base(root, plan["format"])
    night = dt.date.fromisoformat(plan["night"])
    folder = base / f"night={night}" / attempt
    if is_committed(of, root, night, attempt):
        return
    folder.mkdir(parents=True, exist_ok=True)
    schema = to_arrow_schema(table.schema())
    schema = schema.remove(schema.get_field_index("night"))
    rows = [
        {**row, "versions": sorted(versions.items()), "rows": sorted(row["rows"].items()),
         "finished_at": dt.datetime.fromisoformat(row["finished_at"])}
        for row in plan["rows"]
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "part-0.parquet")
    of.replace_night(table, root, night, attempt, measure(table, base, folder))


def is_committed(of: Format, root: Path, night: dt.date, attempt: str) -> bool:
    """Whether the newest version of a table has the files of an attempt as its rows of a night."""
    version = of.version_of(root)
    paths = of.paths_at(root, version).get(night, []) if version is not None else []
    return any(Path(path).parent.name == attempt for path in paths)


def attempt_of(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """A name for the night's rows of `runs` that is another one whenever any table's attempt is.

    >>> parts = {name: {"attempt": name * 12} for name in "abcdefgh"}
    >>> attempt_of(parts) == attempt_of({**parts, "h": {"attempt": "z" * 12}})
    False
    """
    named = "-".join(f"{name}:{part['attempt']}" for name, part in sorted(tables.items()))
    return hashlib.sha256(named.encode()).hexdigest()[:12]
