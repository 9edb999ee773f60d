"""Who may do what: jobs decide nothing, storage has one room, and transforms know no clock."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from chronotope.config import Settings
from chronotope.flow import FLOW, STAGES
from chronotope.tables import TABLES
from tests.house.source import JOBS, LIB, TESTS, called, calls, imported, named, python_files, tree

MAX_JOB_LINES = 60
STORAGE_CALLS = {
    "createOrReplaceTempView", "createOrReplaceGlobalTempView", "createTempView", "createGlobalTempView",
    "registerTempTable", "saveAsTable", "insertInto", "writeTo", "getOrCreate", "newSession",
}  # fmt: skip
STORAGE_ATTRIBUTES = {"read", "readStream", "write", "writeStream", "builder"}
CLOCKS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time"),
          ("F", "now"), ("F", "current_timestamp"), ("F", "current_date"), ("F", "rand"), ("F", "uuid")}  # fmt: skip
SPARK_NAMES = {"spark", "frame", "sparkSession", "session"}
TRANSFORMS = [p for p in python_files(LIB) if p.relative_to(LIB).parts[0] not in ("store", "cli")]
FRAMELESS = ("train/scoring.py", "train/counts.py", "train/space_time.py", "train/batches.py")  # models: numbers only
# Where rows may come to the driver, for they grow with the catalogue or less, and not with users or events.
DRIVER = {
    "train/catalogue.py",  # the catalogue itself
    "interest/vectors.py",  # the vocabulary with its IDF
    "ingest/outcome.py",  # a count per reason
    "train/contest.py",  # a row per model, and a bounded sample of histories to tune on
    "evaluate/gate.py",  # a row per model
    "evaluate/evaluations.py",  # a row per model and metric
    "evaluate/watch.py",  # a row per source, and a bounded number per mix, of a bounded number of nights
}


def test_the_eight_words_are_the_same_everywhere():
    packages = {path.name for path in LIB.iterdir() if (path / "__init__.py").is_file()}
    assert packages - {"tables", "store", "cli", "world"} == set(STAGES)
    assert [name for name in Settings.model_fields if name not in ("night", "alarms")] == list(STAGES)
    assert {path.stem for path in JOBS.glob("*.py")} == {*STAGES, "nightly", "backfill"}
    folders = {path.name for path in TESTS.iterdir() if (path / "__init__.py").is_file()}
    assert set(STAGES) <= folders


def test_the_flow_names_declared_tables_and_each_is_written_by_one_stage():
    given = [name for stage in FLOW for name in stage.gives]
    assert sorted(given) == sorted(set(TABLES) - {"runs"})
    assert {name for stage in FLOW for name in stage.takes} <= set(TABLES)


def test_a_stage_takes_only_what_an_earlier_stage_or_night_gives():
    for place, stage in enumerate(FLOW):
        earlier = {name for before in FLOW[: place + 1] for name in before.gives}
        assert set(stage.takes) <= earlier, stage.name


@pytest.mark.parametrize("path", python_files(JOBS), ids=named)
def test_a_job_is_short_and_computes_nothing(path):
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= MAX_JOB_LINES
    forbidden = {name for name in imported(tree(path)) if name.startswith(("pyspark.sql.functions", "torch", "numpy"))}
    assert not forbidden
    assert not {"pyspark.sql.functions"} & imported(tree(path))


def storage_uses_in(tree_of):
    """Lines that open a session, read or write tables, or name views."""
    for node in ast.walk(tree_of):
        if isinstance(node, ast.Call) and called(node) in STORAGE_CALLS:
            yield node.lineno, called(node)
        if isinstance(node, ast.Attribute) and node.attr in STORAGE_ATTRIBUTES and is_spark(node.value):
            yield node.lineno, node.attr


def is_spark(node):
    """Whether an expression's last name sounds like a session or a frame: `spark`, `df.sparkSession`, `frame`."""
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return name in SPARK_NAMES or name == "SparkSession"


@pytest.mark.parametrize("path", [*TRANSFORMS, *python_files(JOBS), *python_files(LIB / "cli")], ids=named)
def test_only_the_store_touches_storage(path):
    assert list(storage_uses_in(tree(path))) == []


def test_rows_come_to_the_driver_only_where_they_are_few():
    collected = {"collect", "toPandas", "toArrow", "toLocalIterator"}
    found = {named(p) for p in TRANSFORMS for call in calls(tree(p)) if called(call) in collected}
    assert found <= {f"lib/chronotope/{name}" for name in DRIVER}


def test_the_check_for_storage_would_find_it():
    found = ast.parse("spark.read.parquet('x'); df.sparkSession.read; frame.write.parquet('y'); df.createTempView('z')")
    assert sorted(name for _, name in storage_uses_in(found)) == ["createTempView", "read", "read", "write"]


@pytest.mark.parametrize("path", TRANSFORMS, ids=named)
def test_no_transform_reads_the_clock_or_unseeded_chance(path):
    uses = [
        (call.lineno, call.func.attr)
        for call in calls(tree(path))
        if isinstance(call.func, ast.Attribute)
        and (getattr(call.func.value, "id", getattr(call.func.value, "attr", "")), call.func.attr) in CLOCKS
        and not (call.func.attr == "rand" and call.args)
    ]
    assert uses == []


@pytest.mark.parametrize("path", TRANSFORMS, ids=named)
def test_no_module_holds_a_session_or_a_frame(path):
    opened = {"SparkSession", "getOrCreate", "getActiveSession", "createDataFrame", "active"}
    for statement in tree(path).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            assert not {called(call) for call in calls(statement)} & opened, statement.lineno


@pytest.mark.parametrize("name", FRAMELESS)
def test_models_know_no_frames(name):
    assert not {module for module in imported(tree(LIB / name)) if module.startswith("pyspark")}


def test_the_command_for_people_starts_without_spark_and_torch():
    heavy = {"pyspark", "torch", "transformers", "pandas"}
    code = f"import sys, chronotope.cli.people; print([name for name in {sorted(heavy)} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
