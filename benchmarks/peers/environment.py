"""The peers' own environment, made once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
FOLDER = HERE.parents[1] / ".venv-peers"


def peers_python(given: Path | None) -> Path:
    """The Python of the peers: the one given, else that of `.venv-peers`, which is made where it is not up to date."""
    if given:
        return given
    python, made_of = FOLDER / "bin" / "python", FOLDER / "requirements.txt"
    wanted = REQUIREMENTS.read_text(encoding="utf-8")
    if not made_of.exists() or made_of.read_text(encoding="utf-8") != wanted:
        print("making the peers' environment in .venv-peers, about 1.5 GB: some minutes", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", REQUIREMENTS], check=True)
        made_of.write_text(wanted, encoding="utf-8")
    return python
