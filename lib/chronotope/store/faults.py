"""What Spark, the operating system and the disk raise during a night, as errors that say what to change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

from py4j.protocol import Py4JNetworkError

from chronotope.errors import ChronotopeError, DataError, LostError, StoreError

AGAIN = "the last published night is as it was. Then run the same command again: it goes on where this one ended"
FULL = r"No space left on device|Disk quota exceeded|File too large|not enough space"
READ_ONLY = r"Read-only file system|Permission denied|Operation not permitted|Mkdirs failed to create \S*"
# Spark says which file it could not read in one of these words, by format and by what is wrong with it.
UNREAD = (
    r"\[FAILED_READ_FILE[^]]*\] Encountered error while reading file ([^\n]+?)\.(?=\s|$)",
    r"\[CANNOT_READ_FILE_FOOTER\][^\n]*?file: ([^\n]+?)\.(?=\s|$)",
    r"(file:[^\n]+|/[^\n]+) is not a Parquet file",
    r"\[PATH_NOT_FOUND\] Path does not exist: ([^\n]+?)\.(?=\s|$)",
    r"File (file:[^\n]+|/[^\n]+) does not exist",
)
LOST = {
    r"java\.lang\.OutOfMemoryError": "the JVM ran out of heap: raise spark.driver.memory or spark.executor.memory",
    r"Python worker exited unexpectedly|while reading the port number from": "a Python worker was killed or ran out of "
    "memory: raise spark.executor.memoryOverhead, or give the machine more memory",
    r"ExecutorLostFailure": "executors were lost, and their tasks failed too often: look at what killed them",
    r"cancelled because SparkContext was shut down|SparkContext was shut down|stopped SparkContext": "Spark was ended "
    "from outside: look at what ended it",
}


@contextmanager
def plain_faults(tables_dir: Path) -> Iterator[None]:
    """Turn what goes wrong around a night into errors for people; what nobody foresaw stays as it is.

    Raises:
        DataError: for an input file that cannot be read.
        StoreError: for a table's file that cannot be read, a full disk, or a folder that may not be written.
        LostError: when Spark, an executor or a Python worker ended before its work did.
    """
    try:
        yield
    except ChronotopeError:
        raise
    except Exception as error:  # Spark's errors come as py4j's or as its own, by the way that they took
        fault = fault_of(error, tables_dir)
        if fault is None:
            raise
        raise fault from error


def fault_of(error: BaseException, tables_dir: Path) -> ChronotopeError | None:
    """The error for people, None where none fits."""
    text = text_of(error)
    full = re.search(FULL, text)
    if full:
        return StoreError(f"{full[0]}, below {tables_dir} or in spark.local.dir: free some; {AGAIN}")
    path = unread_file(text)
    if path:
        return unread(path, causes_of(text)[-1], tables_dir)
    closed = re.search(READ_ONLY, text)
    if closed:
        return StoreError(f"cannot write below {tables_dir} ({closed[0]}): make it writable; {AGAIN}")
    for pattern, what in LOST.items():
        if re.search(pattern, text):
            return LostError(f"{what}; {AGAIN}")
    if isinstance(error, ConnectionError | Py4JNetworkError) or "Answer from Java side is empty" in text:
        return LostError(f"Spark's JVM ended: it was killed, or ran out of memory; {AGAIN}")
    if isinstance(error, OSError):
        return StoreError(f"{error.filename or tables_dir}: {error.strerror or error}; {AGAIN}")
    return None


def unread(path: Path, cause: str, tables_dir: Path) -> ChronotopeError:
    """The error for a file that cannot be read: a table's own, or one of an input.

    Spark names it by the path that it was given, which may go through links.
    """
    roots = [root for root in (tables_dir.absolute(), tables_dir.resolve()) if root in path.parents]
    if not roots:
        return DataError(
            f"cannot read the input {path} to its end ({cause}); nothing of it was taken in. Have it delivered again"
        )
    table = path.relative_to(roots[0]).parts[0]
    return StoreError(
        f"table {table}: cannot read {path} ({cause}). Put the file back from a copy; without one, run its night and "
        "those after it again. Nothing was published, and the other files are as they were"
    )


def unread_file(text: str) -> Path | None:
    """The file that Spark could not read, if that is what it says: as a path, or percent-encoded after `file://`.

    >>> [str(unread_file(f"File {name} does not exist")) for name in ("file:///a%20b/c", "file:/a b/100%25", "/a b")]
    ['/a b/c', '/a b/100%25', '/a b']
    """
    for pattern in UNREAD:
        found = re.search(pattern, text)
        if found:
            name = unquote(found[1]) if found[1].startswith("file://") else found[1]
            return Path(re.sub(r"^file:/*", "/", name))
    return None


def causes_of(text: str) -> list[str]:
    """What a Java stack trace says that it was caused by, the first cause last."""
    return re.findall(r"Caused by: (?:[\w.$]+\.)?(\w+: [^\n]*)", text) or ["no cause given"]


def first_line(error: BaseException) -> str:
    """What an error says first; of one that py4j hands on, what Java said."""
    text = re.sub(r"^An error occurred while calling \S+\n: ", "", str(error).strip())
    return f"{type(error).__name__}: {(text.splitlines() or ['no message'])[0]}"


def text_of(error: BaseException) -> str:
    """All that an error and those that it came from say, with the Java stack traces that Spark keeps apart."""
    parts = []
    seen: BaseException | None = error
    while seen is not None:
        parts += [str(seen), str(getattr(seen, "_stackTrace", None) or "")]
        seen = seen.__cause__ or seen.__context__
    return "\n".join(parts)
