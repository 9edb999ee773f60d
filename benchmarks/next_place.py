"""Claim: the space-time model finds the next place better than every published table, and better than counting.

    python -m benchmarks.next_place --train FILE --validation FILE [--test FILE] --out DIR

Files are Parquet, one row per check-in: user_id, poi_id, category_id, category_name, lat, lon, utc_offset_min,
utc_time and trajectory_id. The protocol, and what each setting lets a model know, is in `benchmarks/trajectories.py`;
rankings are over all venues of train, and ties count against the model.

Models are trained on train alone. Its last tenth decides after how many epochs training stops, and is then learned from
for as many; it also decides which weights the count blend gets. The queries of validation and test decide nothing. With
`--test`, validation joins the history: when the test part is asked, its check-ins are known steps of their users and
count for all users, in every setting; nothing is trained on them. With the histories `all` and `night` what everybody
did within the part itself counts too, as of the midnight before: the counts are refreshed, the weights are not.
The count blend's weights are tuned with counts of everybody that end before the last tenth of train.

Of the models (`--models`) the product's own, `chronotope`, comes first with all its seeds, then what only counts, then
the model's parts, each trained alone. A training takes 12 to 14 minutes on two cores, fitting twice; by default there
are nine. `--models chronotope count_blend user_frequency user_frequency_by_time markov` leaves out the parts, which
are six of them.

It prints, for every model and setting, accuracy at 1, 5, 10 and 20 and the mean reciprocal rank, with the standard
error over the queries and the deviation over the seeds, and the seconds and the memory of every training. It writes
DIR/predictions.parquet, one row per query and setting, with columns split, model, history (train, all, night), slot
(known, unknown), seed, trajectory_id, user_id, poi_id (the truth), rank, and top20 (the best venues, best first). Table
and file are there after each model and seed, of all so far. The summary goes to benchmarks/results/next_place.json.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from benchmarks.asked import Asked, answers
from benchmarks.mornings import Mornings, mornings
from benchmarks.places import CONF, NAMES, Contender, Lessons, contender, is_random, settings_of, turn
from benchmarks.prepared import Stages
from benchmarks.report import RESULTS, ROOT, report
from benchmarks.summary import cells, summary, table
from benchmarks.trajectories import Split, asked_of, last_tenth, read_checkins, seconds, split_of
from chronotope.config import Settings, load_settings
from chronotope.store.session import open_session
from chronotope.train.scoring import Catalogue, Ints, Scorer

N_SHOWN = 20
GROUP = ("split", "history", "slot", "model")
QUERY = ("user_id", "trajectory_id")


@dataclass(frozen=True)
class Exam:
    """A split that is ready to be asked: its queries by (history, slot), and what is counted by when they are asked."""

    split: Split
    mornings: Mornings
    asked: Mapping[tuple[str, str], Asked]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and keep."""
    options = parsed(arguments)
    for name in options.models:
        settings_of(name, options.set)  # a wrong override is refused before the work, not after it
    settings = load_settings(CONF, overrides=options.set)
    spark = open_session("next_place", ROOT / "conf" / "spark" / "local.conf")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lessons, exams = prepared(spark, options, settings, folder)
        spark.stop()
        summed, training = run(lessons, exams, options, folder)
    report("next_place", figures(summed, training, lessons), options.results)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, metavar="FILE")
    parser.add_argument("--validation", type=Path, required=True, metavar="FILE")
    parser.add_argument("--test", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one training each (default: 1 2 3)")
    parser.add_argument(
        "--models", nargs="+", choices=NAMES, default=list(NAMES), metavar="MODEL", help=" ".join(NAMES)
    )
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", help="override a setting")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="where the summary goes")
    return parser.parse_args(arguments)


def prepared(
    spark: SparkSession, options: argparse.Namespace, settings: Settings, folder: Path
) -> tuple[Lessons, list[Exam]]:
    """What to learn from, and what is asked: all that needs Spark."""
    stages = Stages(spark, settings, folder)
    train, validation = read_checkins(options.train), read_checkins(options.validation)
    catalogue = stages.catalogue(train)
    exams = [exam(split_of("validation", train, train, validation), catalogue, stages)]
    if options.test:
        past = pd.concat([train, validation])
        test = split_of("test", train, past, read_checkins(options.test))
        exams.append(exam(test, stages.catalogue(test.past, described=train), stages))
    return lessons_of(train, catalogue, stages), exams


def exam(split: Split, catalogue: Catalogue, stages: Stages) -> Exam:
    """A split, ready to be asked."""
    print(f"{split.name}: {len(split.query)} queries over {len(catalogue.item_ids)} venues", flush=True)
    return Exam(split, mornings(split, catalogue, stages), asked_of(split, stages))


def lessons_of(train: pd.DataFrame, catalogue: Catalogue, stages: Stages) -> Lessons:
    """What is learned from train; the cut is the second after its last check-in."""
    held = last_tenth(train)
    at_s = seconds(train)
    return Lessons(
        files=stages.history_files(train),
        catalogue=catalogue,
        cut_s=at_s[-1] + 1,
        tail_s=at_s[-1] + 1 - at_s[len(held.past)],
        early=stages.catalogue(held.past.drop(columns="text")),  # for counts: they read no text
        last_tenth=asked_of(held, stages),
        truths=held.asked["item_id"].tolist(),
    )


def run(
    lessons: Lessons, exams: Sequence[Exam], options: argparse.Namespace, folder: Path
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The summary of all predictions, which are kept after each contender, and what each training took.

    Contenders have their turns as `places.turn` says; what is kept has the order in which they were asked for.
    """
    asked = [
        (name, seed) for name in options.models for seed in (options.seeds if is_random(name) else options.seeds[:1])
    ]
    found: dict[tuple[str, int], list[pd.DataFrame]] = {}
    training: dict[tuple[str, int], dict[str, Any]] = {}
    for name, seed in sorted(asked, key=lambda of: turn(of[0])):
        made = contender(name, seed, lessons, options.set, folder / f"{name}-{seed}")
        took = {"model": name, "seed": seed, **made.took}
        if made.took:
            training[name, seed] = took
        found[name, seed] = [part for of in exams for part in predicted(of, made, name, seed)]
        print(took, flush=True)
        so_far = [part for of in asked for part in found.get(of, [])]
        summed = kept_figures(so_far, len(lessons.catalogue.item_ids), options.out)
    return summed, [training[of] for of in asked if of in training]


def kept_figures(predictions: Sequence[pd.DataFrame], n_venues: int, out: Path) -> pd.DataFrame:
    """Write the predictions of all contenders so far, and print and return their summary."""
    rows = pd.concat(predictions, ignore_index=True)
    out.mkdir(parents=True, exist_ok=True)
    rows.to_parquet(out / "predictions.parquet", index=False)
    summed = summary(rows, n_venues, GROUP, QUERY)
    print(table(summed, GROUP), flush=True)
    return summed


def predicted(of: Exam, made: Contender, name: str, seed: int) -> Iterator[pd.DataFrame]:
    """One frame per setting, one row per query."""
    truth = of.split.asked
    scorers = [made.scorers(catalogue) for catalogue in of.mornings.catalogues]
    for (history, slot), asked in of.asked.items():
        answered = answered_by([of_day[slot] for of_day in scorers], of.mornings.of[history], asked, truth["item_id"])
        yield pd.DataFrame(
            {
                **{"split": of.split.name, "model": name, "history": history, "slot": slot, "seed": seed},
                **{column: truth[column].to_numpy() for column in ("trajectory_id", "user_id")},
                "poi_id": truth["item_id"].to_numpy(),
                "rank": answered["rank"],
                "top20": answered["top"],
            }
        )


def answered_by(scorers: Sequence[Scorer], morning: Ints, asked: Asked, truths: pd.Series[Any]) -> pd.DataFrame:
    """Answers, of each query by the scorer [M] of its morning [Q]."""
    rows = [np.flatnonzero(morning == number) for number in range(len(scorers))]
    parts = [
        answers(scorer, asked.rows(of_day), truths.iloc[of_day].tolist(), N_SHOWN).set_axis(of_day)
        for scorer, of_day in zip(scorers, rows, strict=True)
    ]
    return pd.concat(parts).sort_index()


def figures(summed: pd.DataFrame, training: list[dict[str, Any]], lessons: Lessons) -> dict[str, Any]:
    """What the results keep: the cells of the table, by split, setting and model."""
    kept: dict[str, Any] = {}
    for (split, history, slot, model), rows in summed.groupby(list(GROUP), sort=False):
        setting = kept.setdefault(split, {}).setdefault(f"history {history}, slot {slot}", {})
        setting[model] = dict(zip(rows["metric"], cells(rows), strict=True))
    return {
        "claim": "accuracy and MRR of the next place: value ±standard error over queries/deviation over seeds",
        "venues": len(lessons.catalogue.item_ids),
        "queries": {split: int(n) for split, n in summed.groupby("split")["n"].max().items()},
        "figures": kept,
        "training": training,
    }


if __name__ == "__main__":
    main()
