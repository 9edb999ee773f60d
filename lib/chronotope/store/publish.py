"""Publishing a night: every table's log is committed, one after the other, and the `runs` row last.

The plan is on disk before the first commit, and each commit can be repeated without harm: a process that is killed
in between leaves a plan that the next one carries out (`roll_forward`) before it does anything else.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chronotope import __version__
from chronotope.errors import StoreError
from chronotope.flow import STAGES
from chronotope.store.files import DataFile, measure
from chronotope.store.formats import Format, staging_base
from chronotope.store.manifest import write_json
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
            for name, staged in night.staged().items()
        },
        "rows": run_rows(night, model, decision),
        "versions": dict(night.before.versions) if night.before else {},
    }


def roll_forward(tables_dir: Path, of: Format) -> bool:
    """Carry out the plan that lies in the folder, if there is one; whether there was."""
    path = tables_dir / PLAN
    if not path.is_file():
        return False
    plan = json.loads(path.read_text(encoding="utf-8"))
    night = dt.date.fromisoformat(plan["night"])
    versions = {**plan["versions"], **newest_versions(tables_dir, of, night)}
    for name, part in plan["tables"].items():
        files = [DataFile.from_dict(file) for file in part["files"]]
        versions[name] = of.replace_night(TABLES[name], tables_dir / name, night, part["attempt"], files)
    write_runs(tables_dir, of, plan, versions)
    path.unlink()
    return True


def finish_before(tables_dir: Path, of: Format, date: dt.date) -> None:
    """Carry out a plan that lies in the folder, before the night of `date` begins.

    A plan of that very night that cannot be carried out is dropped: the night is about to be made anew.

    Raises:
        StoreError: when another night's plan cannot be carried out.
    """
    path = tables_dir / PLAN
    try:
        roll_forward(tables_dir, of)
    except StoreError as error:
        planned = json.loads(path.read_text(encoding="utf-8"))["night"]
        if planned != str(date):
            raise StoreError(f"night {planned} was not published to the end, and cannot be now: {error}") from error
        log.warning("night %s was not published to the end; what is missing is made again", planned)
        path.unlink()


def newest_versions(tables_dir: Path, of: Format, night: dt.date) -> dict[str, int]:
    """The versions that the same night published before, when it runs again."""
    again = [s for s in snapshots(tables_dir) if s.night == night]
    return dict(again[-1].versions) if again else {}


def chosen_model(night: Night) -> tuple[str | None, str | None]:
    """The model that made the night's tables and the gate's reason; None, None where the night has no models."""
    if "models" not in night.staged():
        return None, None
    rows = night.rows("models").where("chosen").select("model_id", "decision").take(1)
    return (rows[0]["model_id"], rows[0]["decision"]) if rows else (None, None)


def run_rows(night: Night, model: str | None, decision: str | None) -> list[dict[str, Any]]:
    """The night's rows of `runs`: one per stage, and the one that publishes; versions are filled in later."""
    shared: dict[str, Any] = {
        "status": "published",
        "model": model,
        "decision": decision,
        "config_digest": night.settings.digest(),
        "code_version": __version__,
    }
    rows: list[dict[str, Any]] = []
    for manifest in night.manifests():
        counted = {name: staged.rows for name, staged in manifest.tables.items()}
        rows.append({**shared, "stage": manifest.stage, "seconds": manifest.seconds, "rows": counted,
                     "finished_at": manifest.finished_at})  # fmt: skip
    total = {name: count for row in rows for name, count in row["rows"].items()}
    seconds = sum(row["seconds"] for row in rows)
    rows.append({**shared, "stage": "night", "seconds": seconds, "rows": total, "finished_at": rows[-1]["finished_at"]})
    return rows


def write_runs(tables_dir: Path, of: Format, plan: dict[str, Any], versions: dict[str, int]) -> None:
    """Write and commit the night's `runs` rows: the moment from which readers see the night."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from pyspark.sql.pandas.types import to_arrow_schema

    table = TABLES["runs"]
    root = tables_dir / table.name
    attempt = "-".join(sorted({part["attempt"] for part in plan["tables"].values()}))[:60]
    base = staging_base(root, plan["format"])
    folder = base / f"night={plan['night']}" / attempt
    folder.mkdir(parents=True, exist_ok=True)
    schema = to_arrow_schema(table.schema())
    schema = schema.remove(schema.get_field_index("night"))
    rows = [
        {**row, "versions": sorted(versions.items()), "rows": sorted(row["rows"].items()),
         "finished_at": dt.datetime.fromisoformat(row["finished_at"])}
        for row in plan["rows"]
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "part-0.parquet")
    night = dt.date.fromisoformat(plan["night"])
    of.replace_night(table, root, night, attempt, measure(table, base, folder))
