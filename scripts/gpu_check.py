"""Embed and infer on a GPU, timed; see scripts/gpu-check."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
import time
from pathlib import Path

import torch

from chronotope.config import load_settings
from chronotope.embed import embed, missing_texts, model_name
from chronotope.errors import ChronotopeError
from chronotope.infer.states import user_states
from chronotope.infer.workers import load_scorer
from chronotope.store.night import open_night
from chronotope.store.session import open_session, read_properties
from chronotope.store.snapshot import open_snapshot

ROOT = Path(__file__).resolve().parents[1]
NO_GPU = 3
ONE_MACHINE = ("spark.executor.", "spark.task.resource", "spark.pyspark.python")  # what only a cluster manager can give


def session():
    """A local session with gpu.conf, less what local mode cannot give: there the tasks take the first GPU."""
    properties = read_properties(ROOT / "conf" / "spark" / "gpu.conf")
    kept = {key: value for key, value in properties.items() if not key.startswith(ONE_MACHINE)}
    kept |= {"spark.master": f"local[{os.cpu_count()}]", "spark.ui.enabled": "false"}
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("".join(f"{key} {value}\n" for key, value in kept.items()))
        file.flush()
        return open_session("chronotope gpu-check", Path(file.name))


def timed(what, frame):
    """Run a frame twice, the models being loaded after the first, and print the rows per second of the second."""
    frame.count()
    started = time.monotonic()
    rows = frame.groupBy().count().first()[0]
    print(f"{what}: {rows / (time.monotonic() - started):,.0f} per second ({rows:,} rows)")


def main(tables_dir: Path) -> int:
    """Measure; the exit code."""
    if not torch.cuda.is_available():
        print("gpu-check: torch sees no GPU on this machine; nothing was measured", file=sys.stderr)
        return NO_GPU
    try:
        snapshot = open_snapshot(tables_dir)
        overrides = ["embed.device=cuda", "infer.device=cuda", "embed.precision=bf16"]
        settings = load_settings(ROOT / "conf" / "chronotope.yaml", {}, overrides)
        night = open_night(session(), tables_dir, snapshot.night, settings)
        texts = missing_texts(night.earlier("items"), None, model_name(settings.embed))
        timed("embed, texts", embed(texts, settings, snapshot.night))
        load = functools.partial(load_scorer, snapshot.model_folder, "cuda", 1)
        steps = night.earlier("histories")
        timed("infer, users", user_states(steps, load, settings, snapshot.night))
    except ChronotopeError as error:
        print(f"gpu-check: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
