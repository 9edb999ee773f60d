"""The command line that every job shares: options, checks before Spark starts, progress, exit codes."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from chronotope.cli.arguments import day, folder, tables_folder
from chronotope.cli.render import complain
from chronotope.cli.stage import publish, published, run_stage
from chronotope.config import Settings, load_settings, read_yaml
from chronotope.errors import AlarmError, ChronotopeError, UsageError
from chronotope.flow import STAGES
from chronotope.infer.workers import is_usable
from chronotope.ingest.source import Source, load_source
from chronotope.store.faults import first_line, plain_faults
from chronotope.store.inputs import FoundInputs, check_inputs
from chronotope.store.journal import JsonLines
from chronotope.store.lock import exclusive
from chronotope.store.night import Night, finish_unfinished, open_night
from chronotope.store.resume import made_from, rest_from, rest_of
from chronotope.store.session import open_session, read_properties
from chronotope.store.snapshot import Snapshot, last_with, open_snapshot, snapshots
from chronotope.train.loading import loader_of

Run = Callable[[Night], None]

log = logging.getLogger("chronotope")


def main(runs: Mapping[str, Run], argv: Sequence[str] | None = None) -> int:
    """Run one stage, or with several `runs` the whole night; the process's exit code.

    0 is success, 2 a mistake of the caller (nothing was changed), 10 a published night with alarms, others as in
    `chronotope.errors`.
    """
    options = parser(runs).parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stdout)
    log.setLevel(logging.INFO)
    try:
        work(options, runs)
    except AlarmError as raised:
        complain(raised)
        return raised.exit_code
    except ChronotopeError as error:
        complain(f"error: {error}")
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        what = f"{first_line(error)}; the last published night is as it was, and the trace is above"
        complain(f"error: unforeseen: {what}")
        return ChronotopeError.exit_code
    return 0


def parser(runs: Mapping[str, Run]) -> argparse.ArgumentParser:
    """The options; `--from` where there are several stages."""
    what = f"Run stage {next(iter(runs))} of a night." if len(runs) == 1 else "Run a whole night and publish it."
    made = argparse.ArgumentParser(
        description=what, epilog=settings_help(), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = made.add_argument
    add(
        "--source",
        action="append",
        required=True,
        type=Path,
        metavar="YAML",
        help="what the log looks like, see conf/sources; repeat it, with its --input, for several logs",
    )
    add(
        "--input",
        action="append",
        type=folder,
        metavar="DIR",
        default=[],
        help="folder of the source's files (default: none; needed by ingest)",
    )
    add(
        "--tables",
        required=True,
        type=tables_folder,
        metavar="DIR",
        help="folder of the tables, made where there is none",
    )
    add("--date", required=True, type=day, metavar="YYYY-MM-DD", help="the night, by its day")
    add(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        dest="overrides",
        help="override a setting (default: none)",
    )
    add(
        "--settings",
        type=Path,
        metavar="YAML",
        default=conf_folder() / "chronotope.yaml",
        help="all settings (default: conf/chronotope.yaml)",
    )
    add(
        "--properties-file",
        type=Path,
        metavar="CONF",
        default=conf_folder() / "spark" / "local.conf",
        help="Spark settings where spark-submit gave none (default: conf/spark/local.conf)",
    )
    if len(runs) > 1:
        add(
            "--rebuild",
            type=tables_folder,
            metavar="DIR",
            help="make the night from the whole log in one pass, with the IDF, models and calendar of the nights "
            "in DIR; --tables is then a new folder (default: none)",
        )
        add("--from", choices=STAGES, dest="first", help="first stage (default: the first that has not finished)")
    return made  # fmt: skip


def jobs_folder() -> Path:
    """The folder of the job that runs; the library itself may lie in an archive (`--py-files`)."""
    return Path(sys.argv[0]).resolve().parent


def conf_folder() -> Path:
    """The conf/ beside that folder."""
    return jobs_folder().parent / "conf"


def settings_help() -> str:
    """Every setting with its shipped value, for `--help`."""
    try:
        sections = read_yaml(conf_folder() / "chronotope.yaml")
    except UsageError:
        return "settings: see conf/chronotope.yaml"
    lines = [f"  {section}.{key}={value}" for section, keys in sections.items() for key, value in keys.items()]
    return "settings and their defaults:\n" + "\n".join(lines)


def work(options: argparse.Namespace, runs: Mapping[str, Run]) -> None:
    """Check everything that can be checked without Spark, then run the stages under the folder's lock.

    Raises:
        ChronotopeError: whatever ends the night.
    """
    sources = [load_source(path) for path in options.source]
    settings = settings_of(options, sources)
    if settings.night.log == "json":
        log_json()
    first = options.first if len(runs) > 1 else next(iter(runs))
    if first in (None, "ingest") and len(options.input) != len(sources):
        raise UsageError(f"{len(sources)} --source and {len(options.input)} --input: give each source its folder")
    names = [source.name for source in sources]
    if len(set(names)) < len(names):
        raise UsageError(f"--source is given for {', '.join(names)}: each log needs a source file with its own name")
    if "train" in runs:
        loader_of(settings.train.loader)
    read_properties(options.properties_file)
    with exclusive(options.tables), plain_faults(options.tables):
        # First of all, for what a night reads follows from what is published.
        finished = finish_unfinished(options.tables, options.date)
        if finished not in (None, options.date):
            with suppress(AlarmError):  # told on the way, and no matter of this night
                published(options.tables, finished)
        inputs = found_inputs(options, sources) if first in (None, "ingest") else ()
        spark = open_session(f"chronotope {options.date}", options.properties_file)
        try:
            night = open_night(spark, options.tables, options.date, settings, rebuilt(options))
            night.sources, night.finished = inputs, finished
            night.has_lost_model = has_lost_model(night)
            night.made_from = made_from(night, jobs_folder())
            rest = rest_from(night, first, names) if first else rest_of(night)
            log.info("night %s %s (%s)", night.date, rest.why, after(night))
            if rest.published:
                published(options.tables, options.date)
            else:
                run_stages(night, {name: run for name, run in runs.items() if name in rest.stages})
        finally:
            spark.stop()


def rebuilt(options: argparse.Namespace) -> Snapshot | None:
    """The night to be rebuilt, as it was published; None where that is not asked for.

    Raises:
        StoreError: when it is not published there.
    """
    published: Path | None = getattr(options, "rebuild", None)
    return open_snapshot(published, options.date) if published else None


def has_lost_model(night: Night) -> bool:
    """Whether a night would go on with a model that cannot be used any more; it then chooses a new one."""
    if night.before is None or night.is_refresh or is_usable(night.model_folder_before):
        return False
    log.warning("night %s is a refresh, for the model of night %s cannot be used", night.date, night.last)
    return True


def log_json() -> None:
    """From now on each line on standard output is one JSON object."""
    for handler in logging.getLogger().handlers:
        handler.setFormatter(JsonLines())


def found_inputs(options: argparse.Namespace, sources: Sequence[Source]) -> tuple[tuple[Source, FoundInputs], ...]:
    """Each source with the files that the night reads of it.

    Raises:
        UsageError: for files that are not there.
    """
    before = [snapshot for snapshot in snapshots(options.tables) if snapshot.night < options.date]
    pairs = zip(sources, options.input, strict=True)
    return tuple(
        (source, check_inputs(source, place, options.date, last_with(before, source.name))) for source, place in pairs
    )


def settings_of(options: argparse.Namespace, sources: Sequence[Source]) -> Settings:
    """The settings file, the sources' settings over it (of several sources the last one wins), then `--set`."""
    merged: dict[str, dict[str, Any]] = {}
    for source in sources:
        for section, entries in source.settings.items():
            merged.setdefault(section, {}).update(entries)
    return load_settings(options.settings, merged, options.overrides)


def after(night: Night) -> str:
    """Which night this one follows, in words."""
    return f"after {night.before.night}" if night.before else "first night"


def run_stages(night: Night, runs: Mapping[str, Run]) -> None:
    """Run stages in order, each under its manifest; after the last of the flow, or if none is left, publish.

    Raises:
        AlarmError: where the published night crosses a threshold of section `alarms`.
    """
    for number, (stage, run) in enumerate(runs.items(), start=1):
        run_stage(night, stage, run, f"{number}/{len(runs)}")
    if STAGES[-1] in runs or not runs:
        publish(night)
