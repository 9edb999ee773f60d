"""What several command lines take, read and checked: folders, days, counts."""

from __future__ import annotations

import argparse
import datetime as dt
from pathlib import Path


def folder(text: str) -> Path:
    """A folder, for argparse, by its whole path: workers of a cluster work elsewhere.

    Refused is an address of an object store, which as a path would be a folder named `s3:`.
    """
    if "://" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is an address: mount the storage, and give the folder")
    return Path(text).absolute()


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
