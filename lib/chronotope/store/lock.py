"""One night at a time for one folder of tables."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chronotope.errors import LockedError, StoreError, UsageError


@contextmanager
def exclusive(tables_dir: Path) -> Iterator[None]:
    """Hold the folder's lock; the operating system frees it when the process ends, however it ends.

    Raises:
        LockedError: when another process holds it.
        UsageError: when the folder cannot be written, or its storage has no locks.
        StoreError: when the disk is full.
    """
    path = tables_dir / "_night" / "lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write to --tables {tables_dir}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise LockedError(f"{tables_dir} is in use by process {holder}; wait for it, or end it") from error
        except OSError as error:
            raise UsageError(f"cannot lock {path}: {error.strerror}; mount the storage with locks") from error
        try:  # past the file's buffer, which would be written again, and fail again, when the file is closed
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), str(os.getpid()).encode())
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error.strerror}; make room there, then run the same command again"
            ) from error
        yield
