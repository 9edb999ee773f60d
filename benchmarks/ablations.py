"""Which ideas of the space-time model help: each one changed or left out, judged on the last tenth of the train file.

    python -m benchmarks.ablations --train FILE

Training sees the first nine tenths; its early stopping and the figures see the last tenth, as when settings are
chosen: no validation file is read. Counts of everybody end with the nine tenths in every set. Printed are MRR per
information set and the mean of all sets. An idea helps where leaving it out costs more than the deviation over seeds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.asked import answers
from benchmarks.measured import measured
from benchmarks.next_place import lessons_of
from benchmarks.places import CONF, Lessons, settings_of
from benchmarks.prepared import Stages
from benchmarks.report import RESULTS, ROOT, report
from benchmarks.trajectories import read_checkins
from chronotope.config import Settings, load_settings
from chronotope.store.models import read_model
from chronotope.store.session import open_session
from chronotope.train.fit import fit
from chronotope.train.refresh import refreshed
from chronotope.train.scorer import SpaceTimeScorer

AS_IT_IS = "as it is"
VARIANTS: Mapping[str, tuple[str, ...]] = {
    AS_IT_IS: (),
    "without memory": ("train.memory=false",),
    "without the sequence": ("train.sequence=false",),
    "GRU": ("train.encoder=gru",),
    "Transformer": ("train.encoder=transformer",),
    "variational head": ("train.kl_weight=0.01",),
    "without label smoothing": ("train.label_smoothing=0",),
    "what comes soon is learned too": ("train.ahead_share=0.1",),
    "means by steps": ("train.half_lives_steps=[5, 1000]",),
    "previous step never hidden": ("train.mask_previous=0",),
    "last weeks never hidden": ("train.mask_lately=0",),
    "memory learns at the other rate": ("train.trust_learning_rate=0.002",),
    "item vectors of 64": ("train.dim=64",),
    "items without vectors of their own": ("train.own_vectors=false",),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, metavar="FILE")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", help="override a setting")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the summary goes")
    options = parser.parse_args(arguments)
    settings = load_settings(CONF, overrides=options.set)
    with tempfile.TemporaryDirectory() as name:
        spark = open_session("ablations", ROOT / "conf" / "spark" / "local.conf")
        train = read_checkins(options.train)
        stages = Stages(spark, settings, Path(name))
        lessons = lessons_of(train, stages.catalogue(train), stages)
        spark.stop()
        found = {of: variant(of, lessons, options) for of in options.variants}
    figures = {
        "claim": "MRR on the last tenth of train, by information set (history, slot), mean over seeds",
        "seeds": options.seeds,
        "queries": len(lessons.truths),
        "deviation_over_seeds": {name: deviation(runs) for name, runs in found.items()},
        "figures": {name: averaged(runs) for name, runs in found.items()},
    }
    report("ablations", figures, options.results)


def variant(name: str, lessons: Lessons, options: argparse.Namespace) -> list[dict[str, float]]:
    """The figures of each seed."""
    settings = settings_of("chronotope", [*options.set, *VARIANTS[name]])
    runs = []
    for seed in options.seeds:
        with tempfile.TemporaryDirectory() as place:
            runs.append(measured(one_run, lessons, settings, seed, Path(place) / "model").value)
        print(name, seed, runs[-1], flush=True)
    return runs


def one_run(lessons: Lessons, settings: Settings, seed: int, folder: Path) -> dict[str, float]:
    """MRR by information set, and `all sets`, their mean."""
    torch.set_num_threads(settings.night.threads)
    fit(lessons.files, lessons.catalogue, settings, lessons.cut_s, lessons.tail_s, folder, seed)
    early = SpaceTimeScorer.of(refreshed(read_model(folder), lessons.early))
    found = {}
    for (history, slot), asked in lessons.last_tenth.items():
        ranks = answers(early, asked, lessons.truths, 1)["rank"]
        found[f"{history}, {slot}"] = float((1 / ranks).mean())
    return {**found, "all sets": statistics.mean(found.values())}


def averaged(runs: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """The mean of each figure over the seeds."""
    return {name: round(statistics.mean(run[name] for run in runs), 4) for name in runs[0]}


def deviation(runs: Sequence[Mapping[str, float]]) -> float | None:
    """Of the mean of all sets over the seeds; none for a single one."""
    of_seeds = [run["all sets"] for run in runs]
    return round(statistics.stdev(of_seeds), 4) if len(of_seeds) > 1 else None


if __name__ == "__main__":
    main()
