"""Backfill: the nights of a range that are due, run one after the other by real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from chronotope.cli.backfill import main, plan
from chronotope.errors import UsageError
from chronotope.flow import STAGES
from chronotope.store.snapshot import snapshots
from tests.cli.conftest import FIRST, SECOND
from tests.conftest import ROOT
from tests.store.published import day

# Nights whose stages stage nothing, but for a first one with an alarm, and one whose ingest finds nothing.
EMPTY_NIGHTS = textwrap.dedent("""\
    import functools, sys
    from chronotope.cli.backfill import main
    from chronotope.errors import DataError
    from chronotope.flow import STAGES
    from chronotope.tables import TABLES

    def run(stage, night):
        if str(night.date) == "2012-11-03":
            raise DataError("not one event")
        if stage == "evaluate" and str(night.date) == "2012-11-01":
            table = TABLES["evaluations"]
            row = ("night", "watch", "all", "list_churn", 0.99, None, 0.9, 10, night.date)
            night.write(table.name, night.spark.createDataFrame([row], table.schema()))

    sys.argv[0] = "jobs/backfill.py"
    sys.exit(main({stage: functools.partial(run, stage) for stage in STAGES}))
""")
SOURCE = ("--source", "conf/sources/demo.yaml", "--input", "world")


def test_nights_run_in_order_without_those_published_and_stop_at_the_first_failure(tmp_path):
    tables, world = tmp_path / "tables", tmp_path / "world"
    for path in ("items/items.csv", *(f"events/day=2012-11-0{n}/part-0" for n in (1, 2, 3, 4))):
        (world / path).parent.mkdir(parents=True, exist_ok=True)
        (world / path).touch()

    def backfill(last):
        command = [sys.executable, "-c", EMPTY_NIGHTS, *SOURCE[:2], "--input", str(world), "--tables", str(tables)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "lib")}
        return subprocess.run([*command, "--from", "2012-11-01", "--to", last], cwd=ROOT, env=environment,
                              capture_output=True, text=True, check=False)  # fmt: skip

    failed = backfill("2012-11-04")
    assert failed.returncode == 4, failed.stdout + failed.stderr
    assert "error: not one event" in failed.stderr
    assert "night 2012-11-01 is published, with an alarm" in failed.stderr  # and the nights after it run
    assert "backfill stops at night 2012-11-03; nights after it: 1" in failed.stdout
    assert [str(snapshot.night) for snapshot in snapshots(tables)] == ["2012-11-01", "2012-11-02"]
    again = backfill("2012-11-02")
    assert (again.returncode, again.stdout) == (0, "")  # they are published already


def test_a_dry_run_lists_the_nights(tables_dir, capsys):
    arguments = [*SOURCE, "--tables", str(tables_dir), "--from", FIRST, "--to", "2012-11-01", "--dry-run"]
    assert main(dict.fromkeys(STAGES, print), arguments) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["night", "backfill"],
        [FIRST, "published", "already"],
        [SECOND, "published", "already"],
        ["2012-11-01", "to", "run"],
        ["1", "of", "3", "nights", "to", "run"],
    ]


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2012-10-28", SECOND, "2012-10-28, 2012-10-29: not published, but the later night 2012-10-31 is"),
        (SECOND, FIRST, "the range holds no night"),
    ],
)
def test_a_range_that_cannot_be_run_is_refused(tables_dir, capsys, first, last, said):
    with pytest.raises(UsageError, match=said):
        plan(tables_dir, day(first), day(last))
    arguments = [*SOURCE, "--tables", str(tables_dir), "--from", first, "--to", last]
    assert main(dict.fromkeys(STAGES, print), arguments) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_nights_is_filled_from_the_start(tmp_path):
    assert plan(tmp_path, day(FIRST), day(SECOND)) == {day(FIRST): False, day(SECOND): False}
