"""The peers' own environments, each made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).resolve().parents[1]
REQUIREMENTS = BENCHMARKS / "peers" / "requirements.txt"
FOLDER = BENCHMARKS.parent / ".venv-peers"
SPARK_REQUIREMENTS = BENCHMARKS / "spark_peers" / "requirements.txt"
SPARK_FOLDER = BENCHMARKS.parent / ".venv-spark-peers"


def peers_python(given: Path | None) -> Path:
    """The Python of the peers of models: the one given, else that of `.venv-peers`, made where it is not up to date."""
    return given or python_of(REQUIREMENTS, FOLDER)


def spark_peers_python() -> Path:
    """The Python of the peers that run on Spark, `.venv-spark-peers`, made where it is not up to date."""
    return python_of(SPARK_REQUIREMENTS, SPARK_FOLDER)


def python_of(requirements: Path, folder: Path) -> Path:
    """The Python of the environment in a folder, made again where its requirements have changed."""
    python, made_of = folder / "bin" / "python", folder / "requirements.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if not made_of.exists() or made_of.read_text(encoding="utf-8") != wanted:
        print(f"making the peers' environment in {folder.name}, about 1 GB: some minutes", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        made_of.write_text(wanted, encoding="utf-8")
    return python
