"""Going on with a night that was cut off: its finished stages stand if they were made from what is there now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from chronotope import __version__
from chronotope.errors import UsageError
from chronotope.flow import BY_NAME, STAGES
from chronotope.store.formats import staging_base
from chronotope.store.inputs import FoundInputs
from chronotope.store.manifest import Manifest
from chronotope.store.models import ABOUT
from chronotope.store.night import Night

# What all stages of a night must have in common: which rows they have follows from it. Other settings or other code
# may be tried from some stage on.
IN_COMMON = ("publication before", "kind of night", "nights rebuilt", "sources")


@dataclass(frozen=True)
class Rest:
    """What is left of a night: the stages that have to run, and why those."""

    stages: tuple[str, ...]
    why: str
    published: bool = False  # nothing is left, not even publishing


def rest_of(night: Night) -> Rest:
    """The stages from the first one on that does not stand.

    A stage stands if it finished, was made from what `made_from` says now, and all that it wrote is there. A night that
    was published whole is asked for once more, so all of it runs; unless it was this process that published it, by
    carrying out the plan of one that was killed.
    """
    found = {manifest.stage: manifest for manifest in night.manifests()}
    if set(found) == set(STAGES) and night.is_published and not night.carried_out:
        return Rest(STAGES, "starts anew, for it is published already")
    fault = ""
    for place, stage in enumerate(STAGES):
        fault = fault_of(night, found[stage]) if stage in found else f"{stage} had not finished"
        if not fault:
            continue
        if place == 0 or night.carried_out:  # what is published is one whole: it is not mended in parts
            return Rest(STAGES, f"starts anew: {fault}" if found else "starts")
        return Rest(STAGES[place:], f"goes on from {stage}: {fault}")
    if night.carried_out:
        return Rest((), "was cut off while it was published; that is finished now", published=True)
    return Rest((), "goes on with publishing: every stage had finished")


def rest_from(night: Night, first: str, sources: Iterable[str]) -> Rest:
    """The stages from `first` on, which somebody asked for; the stages before it stand as they are.

    Args:
        night: the night.
        first: the stage to begin at.
        sources: the names of the sources that it is asked for with.

    Raises:
        UsageError: where one of those before it was made for a night of other users, as after changed settings, which
            make a refresh of a night that was none.
    """
    now = {**night.made_from, "sources": " ".join(sorted(sources))}
    for manifest in night.manifests():
        if STAGES.index(manifest.stage) < STAGES.index(first):
            changed = [name for name in IN_COMMON if manifest.made_from.get(name) != now[name]]
            if changed:
                raise UsageError(
                    f"night {night.date} cannot begin at {first}: its {manifest.stage} was made from other "
                    f"{' and '.join(changed)} (settings that change make a night a refresh); begin at ingest"
                )
    return Rest(STAGES[STAGES.index(first) :], f"begins at {first}")


def fault_of(night: Night, manifest: Manifest) -> str:
    """Why a finished stage does not stand, in words; empty where it does."""
    now = night.made_from
    changed = [name for name in now if manifest.made_from.get(name) != now[name]]
    if changed:
        return f"{manifest.stage} was made from other {' and '.join(changed)}"
    for name in BY_NAME[manifest.stage].gives:
        staged = manifest.tables.get(name)
        bases = (staging_base(night.tables_dir / name, night.settings.night.format), night.tables_dir / name)
        for file in staged.files if staged else ():
            if not any(is_whole(base / file.path, file.size) for base in bases):
                return f"{manifest.stage} has lost {night.tables_dir / name / file.path}"
    if "models" in manifest.tables and not (night.model_folder / ABOUT).is_file():
        return f"{manifest.stage} has lost {night.model_folder}"
    return ""


def is_whole(path: Path, size: int) -> bool:
    """Whether a file is there with the size that it had."""
    return path.is_file() and path.stat().st_size == size


def made_from(night: Night, jobs: Path) -> dict[str, str]:
    """What the night's rows follow from, each as a short text that changes when it does; `jobs` has the jobs' code.

    A process that does not read the inputs, for it begins at a later stage, takes them as the night's ingest had them.
    """
    first = next(night.manifests(), None)
    taken = first.made_from if first and first.stage == STAGES[0] else {}
    names = sorted(source.name for source, _ in night.sources)
    before = night.before
    return {
        "settings": night.settings.digest(),
        "code": f"{__version__} {code_digest(jobs)}",
        "night before": digest([str(before.night), sorted(before.versions.items())]) if before else "none",
        # Upkeep changes the versions above and no row; a night that is run again changes this, too.
        "publication before": f"{before.night} {before.run['finished_at']}" if before else "none",
        "kind of night": "refresh" if night.is_refresh else "between refreshes",
        "nights rebuilt": digest(str(night.like.tables_dir.resolve())) if night.like else "none",
        "sources": " ".join(names) if names else taken.get("sources", ""),
        "inputs": inputs_digest(night) if night.sources else taken.get("inputs", ""),
    }


def inputs_digest(night: Night) -> str:
    """Changes with a source's description, and with the path, size or time of change of a file of its log."""
    return digest([[source.model_dump_json(), sorted(described(found))] for source, found in night.sources])


def described(found: FoundInputs) -> Iterator[tuple[str, int, int]]:
    """Path, bytes and time of change (ns) of every file of a source's inputs; of folders, of all files in them."""
    for paths in found.files.values():
        for path in paths:
            for file in path.rglob("*") if path.is_dir() else [path]:
                if file.is_file():
                    yield str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns


def code_digest(jobs: Path) -> str:
    """Changes with any file of the jobs and of the library, wherever that lies: in a folder or in a zip archive."""
    sources = [*sorted(texts_of(files("chronotope"))), *sorted(texts_of(jobs))]
    return digest([[name, hashlib.sha256(text).hexdigest()] for name, text in sources])


def texts_of(folder: Traversable, above: str = "") -> Iterator[tuple[str, bytes]]:
    """Name and content of the library's files below a folder, compiled ones left out."""
    for entry in folder.iterdir():
        name = f"{above}/{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            yield from texts_of(entry, name)
        elif entry.name.endswith((".py", ".txt")):
            yield name, entry.read_bytes()


def digest(value: object) -> str:
    """12 hex digits of a value's JSON."""
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:12]
