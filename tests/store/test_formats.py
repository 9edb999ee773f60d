"""The mark that says in which format a folder of tables was begun."""

from __future__ import annotations

import resource

import pytest

from chronotope.errors import StoreError, UsageError
from chronotope.store.formats import FORMATS, MARK, claim_format, format_of


def marked(tables_dir, content):
    (tables_dir / MARK).parent.mkdir()
    (tables_dir / MARK).write_bytes(content)
    return tables_dir


def test_a_folder_keeps_the_format_that_it_was_begun_in(tmp_path):
    assert format_of(tmp_path) is None
    for _ in range(2):
        claim_format(tmp_path, "parquet")
        assert format_of(tmp_path) == "parquet"
    with pytest.raises(
        UsageError, match=r"holds parquet tables, night.format is delta; choose another --tables folder"
    ):
        claim_format(tmp_path, "delta")


@pytest.mark.parametrize("content", [b"", b"\n"])
@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_mark_is_none(tmp_path, content, name):
    marked(tmp_path, content)
    assert format_of(tmp_path) is None
    claim_format(tmp_path, name)
    assert format_of(tmp_path) == name


@pytest.mark.parametrize("content", [b"iceberg\n", b"del", b"\xff\xfe"])
def test_a_mark_that_is_no_format_says_what_to_write(tmp_path, content):
    marked(tmp_path, content)
    for asked in (format_of, lambda folder: claim_format(folder, "delta")):
        with pytest.raises(
            StoreError, match=r"_night/format says '.*', which is no format: write delta or parquet there"
        ):
            asked(tmp_path)


def test_a_disk_without_room_leaves_no_mark(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            claim_format(tmp_path, "delta")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / MARK).exists()
    claim_format(tmp_path, "parquet")
    assert format_of(tmp_path) == "parquet"
