"""The repository as data for the house tests: its files, and their syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIB = ROOT / "lib" / "chronotope"
JOBS = ROOT / "jobs"
TESTS = ROOT / "tests"


@lru_cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def python_files(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@lru_cache
def repository_files() -> tuple[Path, ...]:
    """The files that git tracks or would take in."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\n")  # fmt: skip
    return tuple(path for name in listed if name and (path := ROOT / name).is_file())


def calls(of: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(of) if isinstance(node, ast.Call))


def called(call: ast.Call) -> str:
    """The last name of what is called: `f` of `a.b.f()`."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def imported(of: ast.AST) -> set[str]:
    """The modules that a tree imports, and `module.name` for each name taken from one."""
    found: set[str] = set()
    for node in ast.walk(of):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found
