"""What every file of the repository keeps to."""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import tomllib

import pytest

from tests.house.source import JOBS, LIB, ROOT, TESTS, called, calls, named, python_files, repository_files, tree

MAX_LINES = 400
MEDIAN_LINES = 110
CHECKS = {"raises", "warns", "fail", "assert_df_equality", "assert_approx_df_equality", "assertDataFrameEqual",
          "assert_frame_equal", "assert_allclose", "assert_array_equal", "assert_close"}  # fmt: skip
# A test may be skipped for what the machine lacks, and for nothing else; each such place is listed here.
SKIPS = {
    "tests/benchmarks/conftest.py": 1,  # the peers' environment, 1.5 GB of other people's packages
    "tests/conftest.py": 1,  # the folder of real logs, which is not part of the repository
    "tests/train/test_petastorm_loader.py": 1,  # petastorm, which only the oldest supported versions can import
    "tests/embed/test_device.py": 1,  # the refusal of device=cuda, on machines without one
    "tests/nights/test_faults.py": 1,  # a file system of its own, which takes root to mount
}
BINARY = {".png", ".gz", ".parquet", ".ico", ".zip"}
TEXT_FILES = [path for path in repository_files() if path.suffix not in BINARY]


@pytest.mark.parametrize("path", python_files(LIB, JOBS, TESTS), ids=named)
def test_no_file_is_too_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_files_are_small_on_the_whole():
    sizes = [len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(LIB)]
    assert statistics.median(sizes) <= MEDIAN_LINES


def test_functions_are_small_on_the_whole():
    sizes = [
        node.end_lineno - node.lineno + 1 - docstring_lines(node)
        for path in python_files(LIB)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert statistics.median(sizes) <= 12


def docstring_lines(function):
    first = function.body[0]
    has = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return first.end_lineno - first.lineno + 1 if has else 0


def cases_of(path):
    return [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]


def helpers_that_check(path):
    """Functions of a file that hold an assertion: a test may leave the checking to them."""
    functions = [n for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef)]
    return {n.name for n in functions if not n.name.startswith("test_") and checks(n, set())}


def checks(function, helpers):
    return any(isinstance(n, ast.Assert) for n in ast.walk(function)) or any(
        called(call) in CHECKS | helpers for call in calls(function)
    )


SHARED_CHECKS = {name for path in python_files(TESTS) if not path.name.startswith("test_")
                 for name in helpers_that_check(path)}  # fmt: skip


@pytest.mark.parametrize("path", [p for p in python_files(TESTS) if p.name.startswith("test_")], ids=named)
def test_every_test_asserts_something(path):
    helpers = helpers_that_check(path) | SHARED_CHECKS
    assert [test.name for test in cases_of(path) if not checks(test, helpers)] == []


def test_the_check_for_assertions_would_find_a_test_without_one():
    empty, full = ast.parse("def test_a(): run()\ndef test_b(): assert run()").body
    assert (checks(empty, set()), checks(full, set())) == (False, True)


def test_no_test_is_skipped_that_is_not_listed():
    found = {}
    for path in python_files(TESTS, LIB):
        names = [getattr(node, "attr", getattr(node, "id", "")) for node in ast.walk(tree(path))]
        if skips := [name for name in names if name in ("skip", "skipif", "importorskip", "xfail")]:
            found[named(path)] = len(skips)
    assert found == SKIPS


def test_no_machine_is_mentioned():
    pattern = re.compile(r"(?<![\w.}$/-])/(work|tmp|root|home|Users|mnt)/")
    found = [
        f"{named(path)}:{number}: {line.strip()[:100]}"
        for path in TEXT_FILES
        if path != ROOT / "tests/house/test_repository.py"
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []


def test_git_keeps_the_library():
    paths = "\n".join(named(path) for path in python_files(LIB, JOBS, TESTS))
    asked = subprocess.run(["git", "check-ignore", "--no-index", "--stdin"], input=paths, cwd=ROOT, capture_output=True,
                           text=True, check=False)  # fmt: skip
    assert (asked.stdout, asked.returncode) == ("", 1)  # 1: none is ignored


def requirement_name(line):
    """The name of a requirement, as pip compares names."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s=<>~!;\[]", line.strip(), maxsplit=1)[0]).lower()


def pins(lock="requirements.lock"):
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith(("#", "--"))]


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_the_locks_pin_every_package_exactly(lock):
    assert [line for line in pins(lock) if not re.match(r"[\w.\-\[\]]+==[\w.+!]+(\s|;|\\|$)", line)] == []
    names = [requirement_name(line) for line in pins(lock)]
    assert len(names) == len(set(names))


def test_the_lock_covers_what_the_project_needs():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *(line for of in project["optional-dependencies"].values() for line in of)]
    assert {requirement_name(line) for line in needed} <= {requirement_name(line) for line in pins()}


def test_the_oldest_supported_versions_are_those_that_are_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    bounds = {requirement_name(line): re.search(r"[=>]=([\d.]+)", line)[1] for line in project["dependencies"]}
    tested = {requirement_name(line): line.split("==")[1] for line in pins("requirements-oldest.lock")}
    assert {name: bound for name, bound in bounds.items() if not f"{tested[name]}.".startswith(f"{bound}.")} == {}


def test_every_suppression_of_a_check_gives_its_reason():
    """On the same line, or in a comment on the line above."""
    bare = []
    for path in python_files(LIB, JOBS):
        lines = path.read_text(encoding="utf-8").splitlines()
        for above, line in zip(["", *lines], lines, strict=False):
            found = re.search(r"#\s*(?:noqa|type:\s*ignore)(?P<rest>.*)", line)
            told = found and re.search(r"( - |# )\w+", found["rest"])
            if found and not told and not above.strip().startswith("#"):
                bare.append(f"{named(path)}: {line.strip()}")
    assert bare == []
