"""Whole nights on real clusters, with code from the bundle alone and with executors that are killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.nights.conftest import FAST, LAST
from tests.nights.processes import assert_same_night

LOCAL = str(ROOT / "conf" / "spark" / "local.conf")
FIRST = "2026-03-02"
# For each stage a sign that it is in the middle of its work; that of recommend is the writing of a table.
MIDDLE = {
    "embed": "item_embeddings/night={}/*/_temporary",
    "infer": "user_states/night={}/*/_temporary",
    "recommend": "recommendations/night={}/*/_temporary/*/*",
}


def assert_code_of_the_bundle(cluster, tmp_path):
    found = tmp_path / "found.json"
    process = cluster.submit(tmp_path / "probe.said", str(ROOT / "tests" / "cluster" / "probe.py"), LOCAL, str(found))
    assert process.end() == 0, process.complained
    where = json.loads(found.read_text(encoding="utf-8"))
    for code, python, *_ in [where["driver"], *where["executors"]]:
        assert code.endswith("/chronotope.zip/chronotope/__init__.py")
        assert not Path(code).is_relative_to(ROOT)
        assert Path(python) == cluster.python
    for *_, paths in where["executors"]:
        assert not [path for path in paths if path in (str(ROOT), str(ROOT / "lib"))]


def test_a_local_cluster_runs_the_code_of_the_bundle(local_cluster, tmp_path):
    assert_code_of_the_bundle(local_cluster, tmp_path)


@pytest.mark.slow
def test_a_standalone_cluster_runs_the_code_of_the_bundle(standalone, tmp_path):
    assert_code_of_the_bundle(standalone, tmp_path)


def begin(nights, cluster, tables, date):
    settings = [word for setting in FAST for word in ("--set", setting)]
    return cluster.submit(
        tables.with_suffix(f".{date}.said"), str(ROOT / "jobs" / "nightly.py"), "--date", date,
        "--source", str(ROOT / "conf" / "sources" / "demo.yaml"), "--input", str(nights.world),
        "--tables", str(tables), *settings,
    )  # fmt: skip


@pytest.mark.slow
def test_a_night_whose_executors_are_killed_ends_with_the_rows_of_an_undisturbed_local_one(cluster, nights, tmp_path):
    """The first night: it embeds every text and trains."""
    tables = tmp_path / "tables"
    process = begin(nights, cluster, tables, FIRST)
    for sign in MIDDLE.values():
        process.wait_for(lambda of=sign: list(tables.glob(of.format(FIRST))))
        os.kill(process.wait_for(lambda: cluster.executors(process))[0], signal.SIGKILL)
    assert process.end() == 0, process.said + process.complained
    assert_same_night(tables, nights.first)


@pytest.mark.slow
def test_the_night_after_goes_on_a_cluster_where_a_local_one_ended(cluster, nights, tmp_path):
    tables = tmp_path / "tables"
    shutil.copytree(nights.first, tables)
    process = begin(nights, cluster, tables, LAST)
    assert process.end() == 0, process.said + process.complained
    assert_same_night(tables, nights.tables)
