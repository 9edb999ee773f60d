"""What every benchmark says beside its figures: machine, date, commit and command; kept in benchmarks/results/."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def report(name: str, figures: dict[str, Any], folder: Path = RESULTS) -> None:
    """Print the figures with where they come from, and keep them as benchmarks/results/<name>.json, or elsewhere."""
    program = Path(sys.argv[0]).stem
    text = json.dumps(
        {
            **figures,
            "machine": machine(),
            "date": dt.datetime.now(dt.UTC).date().isoformat(),
            "commit": commit(),
            "command": shlex.join(["python", "-m", f"benchmarks.{program}", *map(without_folder, sys.argv[1:])]),
        },
        indent=2,
        ensure_ascii=False,
    )
    print(text)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def without_folder(argument: str) -> str:
    """An argument, with folders outside of the repository named FOLDER.

    >>> [without_folder(argument) for argument in ("/a/b", "--out=/a/b", "../a/b.csv", "--set=train.epochs=1")]
    ['FOLDER', '--out=FOLDER', 'FOLDER/b.csv', '--set=train.epochs=1']
    """
    name, equals, value = argument.rpartition("=")
    path = Path(value)
    if not path.is_absolute() and ".." not in path.parts:
        return argument
    return f"{name}{equals}FOLDER" + (f"/{path.name}" if path.suffix else "")


def machine() -> str:
    """Cores, memory, processor, and the versions that speed depends on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    processor = next((line.split(": ")[1] for line in lines if line.startswith("model name")), platform.processor())
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in ("pyspark", "pyarrow", "numpy", "torch"))
    return f"{os.cpu_count()} cores, {memory_gib:.0f} GiB, {processor}, Python {platform.python_version()}, {versions}"


def commit() -> str:
    """The commit, with -dirty when tracked files other than results differ from it."""
    described = git("describe", "--always")
    changed = git("diff", "HEAD", "--name-only", "--", ".", f":(exclude){RESULTS}")
    return described + ("-dirty" if changed else "") if described else "none"


def git(*arguments: str) -> str:
    """What git says of the checkout; empty where it is none, or there is no git."""
    try:
        return subprocess.run(["git", "-C", ROOT, *arguments], capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""
