"""Three published nights, the last one run twice, and one that was killed: what the commands of upkeep are for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql.pandas.types import to_arrow_schema

from chronotope.flow import BY_NAME, STAGES
from chronotope.store.files import measure
from chronotope.store.formats import format_of, staging_base
from chronotope.store.manifest import Staged
from chronotope.store.snapshot import open_snapshot, snapshots
from chronotope.store.sql import select
from chronotope.tables import TABLES
from tests.rows import BASE, MONDAY, frame
from tests.store.published import FINISHED_AT, begin

NIGHTS = ("2012-10-29", "2012-10-30", "2012-10-31")
KILLED = "2012-11-01"
VICTIM, RAW = "s:victim7f3a", "victim7f3a"  # a user whose id is part of nothing else
OTHERS = ("s:u1", "s:u2", "s:zoe")
STEP = {"event_id": "e", "item_id": "s:i1", "action": "view", "occurred_at": MONDAY, "slot": 0}
BY_SPARK = ("events", "sessions")
READ = ("events", "items", "recommendations", "terms", "runs")  # at least one table of every kind

DIES = textwrap.dedent("""\
    import os, signal, sys
    from pathlib import Path
    from chronotope.cli.people import main
    from chronotope.store import formats
    from chronotope.store.publish import PLAN

    class Dying:
        def __init__(self, of, steps):
            self.of, self.steps = of, steps
        def __getattr__(self, name):
            if (Path(sys.argv[1]) / PLAN).is_file():  # the plan is being carried out
                if self.steps == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                self.steps -= 1
            return getattr(self.of, name)

    formats.FORMATS[sys.argv[2]] = Dying(formats.FORMATS[sys.argv[2]], int(sys.argv[3]))
    main(["--tables", sys.argv[1], *sys.argv[4:]])
""")


def of_users(night):
    """A night's rows of the tables with users; the victim is there every night."""
    users = (VICTIM, *OTHERS)
    return {
        "events": [{"event_id": f"{night}-{user}", "user_id": user} for user in users],
        "rejects": [
            {
                "record_id": f"{night}-{n}",
                "copy": 1,
                "source": "s",
                "record": f'{{"user":"{raw}","at":"?"}}',
                "user_id": f"s:{raw}" if night != NIGHTS[0] else None,
                "reasons": ["bad_time"],
            }
            for n, raw in enumerate((RAW, "u1"))
        ],
        "counts": [{"user_id": user, "item_id": "s:i1", "daypart": "d", "region": "", "n": 1} for user in users],
        "transitions": [{"user_id": user, "from_item_id": "a", "item_id": "b", "n": 1} for user in users],
        "term_sums": [{"user_id": user, "terms": "tea", "long": [1.0], "short": [0.5]} for user in users],
        "interests": [
            {"user_id": user, "horizon": "long", "terms": [{"term": "tea", "weight": 1.0}]} for user in users
        ],
        "sessions": [{"session_key": f"{night}-{user}", "user_id": user, "steps": [STEP]} for user in users],
        "histories": [{"user_id": user, "event_id": [f"{night}-{user}"]} for user in users],
        "ranks": [{"query_id": f"{night}-{user}", "user_id": user, "top": ["a"]} for user in users],
        "user_states": [{"user_id": user, "model": "m", "state": [0.5]} for user in users],
        "forecasts": [{"user_id": user, "topic": "bar", "probability": 1.0} for user in users],
        "recommendations": [
            {"user_id": user, "rank": 1, "item_id": night, "parts": {"popular": 0.5}} for user in (*users, "*")
        ],
        "feedback": [{"user_id": user, "shown": ["a"], "ranks": [None, 1]} for user in users],
    }


def tables_of(night):
    """All rows of a night; IDFs are counted on the first and the last only."""
    versions = [night] if night != NIGHTS[1] else []
    return {
        **of_users(night),
        "items": [{"item_id": "s:i1", "title": night}, {"item_id": f"s:{night}"}],
        "terms": [{"term": term, "version": version} for term in ("tea", "jazz") for version in versions],
        "models": [{"model_id": f"m-{night}", "chosen": True, "path": f"_models/night={night}"}],
        "evaluations": [{"model": "m", "metric": "mrr", "value": 0.5, "n": 1}],
    }


def make(spark, tables_dir: Path, settings) -> Path:
    """Some tables of each night are written by Spark, the others by Arrow, which takes a tenth of the time."""
    for night in (*NIGHTS, NIGHTS[-1]):
        stage(begin(spark, tables_dir, night, settings), tables_of(night)).publish()
    killed = stage(begin(spark, tables_dir, KILLED, settings), tables_of(KILLED))
    killed.begin("evaluate")  # its manifest is gone, as if it had been killed before it was written
    killed.scratch("judged", frame(spark, "rejects", of_users(KILLED)["rejects"]))
    for night in (*NIGHTS, KILLED):
        model_of(tables_dir, night)
    return tables_dir


def stage(night, tables, first=STAGES[0]):
    """As in `tests.store.published`; what Arrow writes is in two files a table."""
    for name in STAGES[STAGES.index(first) :]:
        night.begin(name)
        for table in BY_NAME[name].gives:
            if table in tables:
                if table in BY_SPARK:
                    night.write(
                        table, frame(night.spark, table, [{**row, "night": night.date} for row in tables[table]])
                    )
                else:
                    night.staging[table] = written(night, TABLES[table], tables[table])
        night.finish(name, 1.5, FINISHED_AT)
    return night


def written(night, table, rows):
    base = staging_base(night.tables_dir / table.name, night.settings.night.format)
    attempt = os.urandom(6).hex()
    folder = base / f"night={night.date}" / attempt
    folder.mkdir(parents=True)
    schema = to_arrow_schema(table.schema())
    schema = schema.remove(schema.get_field_index("night"))
    rows = [BASE.get(table.name, {}) | {k: arrow(v) for k, v in row.items()} for row in rows]
    for number, half in enumerate((rows[0::2], rows[1::2])):
        pq.write_table(pa.Table.from_pylist(half, schema=schema), folder / f"part-{number}.parquet")
    return Staged(attempt, tuple(measure(table, base, folder)))


def arrow(value):
    """A map as Arrow takes it."""
    return list(value.items()) if isinstance(value, dict) else value


def model_of(tables_dir, night):
    for name in (f"night={night}", f"counts-{night}-0123456789ab"):
        folder = tables_dir / "_models" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.json").write_text("{}", encoding="utf-8")


def publish_killed(spark, tables_dir, settings):
    """Run the last stage of the killed night, and publish it."""
    night = begin(spark, tables_dir, KILLED, settings)
    rows = tables_of(KILLED)
    stage(night, {name: rows[name] for name in ("evaluations", "feedback")}, first=STAGES[-1]).publish()


def seen(tables_dir, names=READ):
    """What readers of each published night see of some tables; times and versions of `runs` aside."""
    found = {}
    for snapshot in snapshots(tables_dir):
        for name in names:
            columns = "*" if name != "runs" else "night, stage, rows"
            rows = select(snapshot, f"SELECT {columns} FROM {name}").rows
            found[str(snapshot.night), name] = sorted(map(str, rows))
    return found


def data_files(tables_dir):
    """Every data file there is, below its table's folder, staged or not."""
    paths = [path for name in TABLES for path in (tables_dir / name).rglob("night=*/*/*.parquet")]
    return {str(path.relative_to(tables_dir)).replace("_staged/", "") for path in paths}


def named_files(tables_dir, name):
    """The files of a table that the newest published night reads."""
    paths = open_snapshot(tables_dir).paths(name)
    return {str(path.relative_to(tables_dir)) for files in paths.values() for path in files}


def published_files(tables_dir):
    return {path for name in TABLES for path in named_files(tables_dir, name)}


def staged_files(tables_dir):
    """What the killed night's manifests name."""
    found = [json.loads(path.read_text(encoding="utf-8"))["tables"] for path in
             (tables_dir / "_night" / KILLED).glob("*.json")]  # fmt: skip
    return {f"{name}/{file['path']}" for tables in found for name, entry in tables.items() for file in entry["files"]}


def content(tables_dir):
    """Every file but the lock, with its bytes."""
    paths = [path for path in tables_dir.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(tables_dir)): path.read_bytes() for path in paths}


def killed_after(tables_dir, steps, *command):
    """Run a command in a process that is killed at a step of carrying out its plan; False where it got to the end."""
    call = [sys.executable, "-c", DIES, str(tables_dir), format_of(tables_dir), str(steps), *command]
    child = subprocess.run(call, check=False, capture_output=True)
    assert child.returncode in (0, -signal.SIGKILL), child.stderr
    return child.returncode != 0
