"""Which files a path with wildcards and `{day}` means: what Python and Spark each call a match, made one."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from chronotope.ingest.source import DAY


def matches_of(input_dir: Path, pattern: str) -> list[Path]:
    """The files and folders that match a glob, those left out that are hidden or lie below another match.

    A hidden folder counts where the glob itself names it.
    """
    named = PurePosixPath(pattern).parts
    matches = {
        path
        for path in input_dir.glob(pattern)
        if not hidden(path.name)
        and not any(hidden(part) for part in path.relative_to(input_dir).parts[:-1] if part not in named)
    }
    return sorted(path for path in matches if not any(parent in matches for parent in path.parents))


def hidden(name: str) -> bool:
    """Whether Spark passes over a file or folder of this name: what is being written, trash, markers like _SUCCESS.

    >>> [hidden(name) for name in ("_temporary", ".part-0.crc", "part-0.json", "_kind=a")]
    [True, True, False, False]
    """
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_")


def files_of(paths: Iterable[Path]) -> list[Path]:
    """What of these files and folders is given to Spark so that it reads each file in them once.

    Of a folder of nothing but folders named like `kind=a`, Spark reads the files in those, whose names it makes columns
    of; of any other, only the files right in it, so that its folders are given too. Hidden and empty ones are left out.
    """
    found = []
    for path in paths:
        if path.is_file():
            found.append(path)
        elif path.is_dir():
            below = sorted(child for child in path.iterdir() if not hidden(child.name))
            folders = [child for child in below if child.is_dir()]
            deeper = files_of(folders)
            if folders != below:
                found += [path, *deeper]
            elif deeper and all("=" in folder.name for folder in folders):
                found.append(path)
            else:
                found += deeper
    return found


def day_folder(input_dir: Path, path: str, day: dt.date) -> bool:
    """Whether the folder is there that is named by the day; false where only the files' names have it."""
    head = path[: path.index(DAY)] + DAY + path[path.index(DAY) + len(DAY) :].split("/")[0]
    is_file_name = "/" not in path[path.index(DAY) :]
    return not is_file_name and any(p.is_dir() for p in input_dir.glob(head.replace(DAY, day.isoformat())))


def day_pattern(path: str) -> str:
    """A regular expression, for Python and Java, of all paths that match the glob or lie below such a one.

    Its first group is the day.

    >>> re.fullmatch(day_pattern("**/day={day}/*.json"), "eu/day=2026-01-31/part-0.json")[1]
    '2026-01-31'
    """
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]", DAY: r"(\d{4}-\d{2}-\d{2})"}
    below = PurePosixPath(path).as_posix().removesuffix("/**")
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\{day\}|\[!?\]?[^]]*\])", below)
    return "".join(words.get(part) or one_of(part) or re.escape(part) for part in parts) + "(?:/.*)?"


def one_of(part: str) -> str:
    """A glob's set of characters as a regular expression; empty for what is none.

    >>> one_of("[!0-8]"), one_of("day")
    ('[^0-8]', '')
    """
    if not (part.startswith("[") and part.endswith("]")):
        return ""
    inner = part[1:-1].removeprefix("!")
    return f"[{'^' if part[1] == '!' else ''}" + re.sub(r"([][\\^&])", r"\\\1", inner) + "]"
