"""What several command lines take, read and checked: folders, days, counts."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
from pathlib import Path


def folder(text: str) -> Path:
    """A folder, for argparse, by its whole path: workers of a cluster work elsewhere.

    Refused are an address of an object store, which as a path would be a folder named `s3:`, and an empty text, which
    is what the shell makes of a variable that is not set, and would be the folder where the command is run.
    """
    if not text:
        raise argparse.ArgumentTypeError("the path is empty: give a folder (is a variable of the shell not set?)")
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is an address: mount the storage, and give the folder")
    return Path(text).absolute()


def tables_folder(text: str) -> Path:
    """A folder of tables, for argparse: of a path that Spark and delta-rs read as it is.

    Spark takes brackets for a pattern; delta-rs, which follows links first, takes %41 for an A, a backslash for a
    slash, and no control characters at all.
    """
    path = folder(text)
    for place in (str(path), os.path.realpath(path)):
        if misread := re.search(r"%[0-9A-Fa-f]{2}|[\\\[{\x00-\x1f\x7f]", place):
            raise argparse.ArgumentTypeError(
                f"the path {place!r} holds {misread[0]!r}, which Spark or Delta would read as something else: give a "
                "folder without that in its path"
            )
    return path


def positive(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def day(text: str) -> dt.date:
    """A date, for argparse."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no date such as 2012-10-31") from error
