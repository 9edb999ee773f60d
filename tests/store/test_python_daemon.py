"""Python workers under our daemon: they answer as Spark's do, live on, and keep no finders of zip files."""

from __future__ import annotations

import os
import pkgutil
import sys
import zipfile
from importlib import import_module
from zipimport import zipimporter

import pyarrow as pa
import pytest
from pyspark.errors import PythonException

from chronotope.store.python_daemon import forget_zip_finders

TASKS = 16  # many more than workers, of which at most four run at once


@pytest.fixture
def zipped(tmp_path, monkeypatch):
    """The path of a zip file on the path, with two modules and a text in it."""
    path = tmp_path / "zipped.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("first_of_zip/__init__.py", "NAME = 'first'")
        file.writestr("first_of_zip/words.txt", "tea milk")
        file.writestr("second_of_zip.py", "NAME = 'second'")
    monkeypatch.syspath_prepend(str(path))
    yield str(path)
    for name in ("first_of_zip", "second_of_zip"):
        sys.modules.pop(name, None)


def zip_finders():
    return [path for path, finder in sys.path_importer_cache.items() if isinstance(finder, zipimporter)]


def test_finders_of_zip_files_are_dropped_and_no_others(zipped):
    assert import_module("first_of_zip").NAME == "first"
    assert zipped in zip_finders()
    others = {p: f for p, f in sys.path_importer_cache.items() if not isinstance(f, zipimporter)}
    forget_zip_finders()
    assert sys.path_importer_cache == others
    assert len(others) > 0


def test_imports_from_a_zip_still_work_afterwards(zipped):
    first = import_module("first_of_zip")
    forget_zip_finders()
    assert import_module("second_of_zip").NAME == "second"
    assert zipped in zip_finders()
    assert import_module("first_of_zip") is first


def test_texts_beside_an_imported_module_can_still_be_read(zipped):
    import_module("first_of_zip")
    forget_zip_finders()
    assert pkgutil.get_data("first_of_zip", "words.txt") == b"tea milk"


def test_without_zip_files_there_is_nothing_to_drop():
    forget_zip_finders()
    before = dict(sys.path_importer_cache)
    forget_zip_finders()
    assert sys.path_importer_cache == before


def told(spark, tell, schema):
    """What `tell` says in each of many tasks."""

    def report(batches):
        for _ in batches:
            yield pa.RecordBatch.from_pylist([tell()])

    return spark.range(0, TASKS, 1, TASKS).mapInArrow(report, schema).collect()


def test_workers_run_under_the_daemon_and_live_on(spark):
    def tell():
        from pyspark import daemon

        started, runs = sys.modules["__main__"].__spec__.name, daemon.worker_main.__code__.co_filename
        return {"started": started, "runs": os.path.basename(runs), "worker": os.getpid()}

    first, second = (told(spark, tell, "started string, runs string, worker long") for _ in range(2))
    assert {(row["started"], row["runs"]) for row in first} == {("chronotope.store.python_daemon", "python_daemon.py")}
    workers = {row["worker"] for row in first}
    assert len(workers) < TASKS == len(first)
    assert workers & {row["worker"] for row in second}


def test_what_imports_left_behind_is_not_collected_again(spark):
    """A worker that imported something has frozen objects ever after."""

    def tell():
        import gc
        import wave  # nothing else imports it

        return {"worker": os.getpid(), "frozen": gc.get_freeze_count(), "module": wave.__name__}

    first, second = (told(spark, tell, "worker long, frozen long, module string") for _ in range(2))
    again = [row["frozen"] for row in second if row["worker"] in {row["worker"] for row in first}]
    assert again
    assert min(again) > 1000


def test_an_exception_in_a_worker_reaches_the_driver_with_its_message(spark):
    def fail(batches):
        for _ in batches:
            raise ValueError("no tea in this pot")
        yield from ()

    with pytest.raises(PythonException, match="ValueError: no tea in this pot"):
        spark.range(1).mapInArrow(fail, "id long").collect()
    assert spark.range(3).mapInArrow(lambda batches: batches, "id long").count() == 3
