"""Which files a night reads: days, globs, folders and links."""

from __future__ import annotations

import datetime as dt
import fnmatch
import re

import pytest

from chronotope.errors import UsageError
from chronotope.ingest.records import ARRIVAL
from chronotope.store.globs import one_of
from chronotope.store.inputs import check_inputs
from tests.store.logs import NIGHT, put, read, source


class TestFinding:
    by_day = source("events/day={day}/*.json", "json")

    def files(self, folder, previous=None, of=None):
        found = check_inputs(of or self.by_day, folder, NIGHT, previous).files["log"]
        return [str(path.relative_to(folder)) for path in found]

    def test_first_night_takes_all_days_up_to_it(self, tmp_path):
        for day in ("2025-12-31", "2026-01-30", "2026-01-31", "2026-02-01", "latest"):
            put(tmp_path, f"events/day={day}/a.json", "{}")
        days = ["2025-12-31", "2026-01-30", "2026-01-31"]
        assert self.files(tmp_path) == [f"events/day={day}/a.json" for day in days]

    def test_later_night_takes_the_days_since_the_last(self, tmp_path):
        for day in ("2026-01-27", "2026-01-29", "2026-01-30", "2026-01-31"):
            put(tmp_path, f"events/day={day}/a.json", "{}")
        found = [f"events/day=2026-01-{n}/a.json" for n in (29, 30, 31)]
        assert self.files(tmp_path, dt.date(2026, 1, 28)) == found

    def test_a_day_since_the_last_night_that_is_not_there_would_be_lost(self, tmp_path):
        for day in ("2026-01-29", "2026-01-31"):
            put(tmp_path, f"events/day={day}/a.json", "{}")
        with pytest.raises(UsageError, match=r"nothing arrived at .*day=2026-01-30.*no later night would read it"):
            self.files(tmp_path, dt.date(2026, 1, 28))
        assert self.files(tmp_path, dt.date(2026, 1, 30)) == ["events/day=2026-01-31/a.json"]
        assert len(self.files(tmp_path)) == 2  # a first night takes what there is

    def test_empty_day_is_an_empty_folder(self, tmp_path):
        put(tmp_path, "events/day=2026-01-30/a.json", "{}")
        put(tmp_path, "events/day=2026-01-31/_SUCCESS", "")
        assert self.files(tmp_path, dt.date(2026, 1, 30)) == []

    def test_day_that_is_not_there_is_no_empty_day(self, tmp_path):
        put(tmp_path, "events/day=2026-01-29/a.json", "{}")
        with pytest.raises(UsageError, match=r"day=2026-01-31.*its days are 2026-01-29 to 2026-01-29"):
            self.files(tmp_path)

    def test_night_before_the_first_day(self, tmp_path):
        put(tmp_path, "events/day=2026-02-01/a.json", "{}")
        with pytest.raises(UsageError, match="its days are 2026-02-01 to 2026-02-01"):
            self.files(tmp_path)

    def test_day_in_the_files_name(self, tmp_path):
        of = source("log-{day}.csv.gz")
        put(tmp_path, "log-2026-01-31.csv.gz", b"")
        assert self.files(tmp_path, of=of) == ["log-2026-01-31.csv.gz"]
        with pytest.raises(UsageError, match="log-2026-02-01"):
            check_inputs(of, tmp_path, dt.date(2026, 2, 1), None)

    @pytest.mark.parametrize("path", ["/in/{day}.csv", "../{day}.csv", "a/../{day}.csv"])
    def test_a_path_is_below_the_input_folder(self, tmp_path, path):
        with pytest.raises(UsageError, match="must be below the folder that is given to --input"):
            self.files(tmp_path, of=source(path))

    def test_a_folder_that_looks_like_a_day_and_is_none_is_told(self, tmp_path):
        put(tmp_path, "events/day=2026-01-31/a.json", "{}")
        put(tmp_path, "events/day=2026-02-30/a.json", "{}")
        with pytest.raises(UsageError, match=r"input 'log': events/day=2026-02-30/a.json is of no day"):
            self.files(tmp_path)

    @pytest.mark.parametrize(
        ("path", "names"),
        [
            ("events/**/{day}/*.json", ["events/2026-01-31/a.json", "events/eu/2026-01-31/b.json"]),
            ("s[0-9]/{day}.json", ["s1/2026-01-31.json", "s2/2026-01-31.json"]),
            ("s[!0-8]/{day}.json", ["s9/2026-01-31.json"]),
            ("./log?{day}.json", ["log 2026-01-31.json", "log+2026-01-31.json"]),
        ],
    )
    def test_every_file_that_the_path_means_is_read(self, spark, tmp_path, path, names):
        """Also below a folder that is named like another day."""
        folder = tmp_path / "2026-01-01" / "ü %20+"
        for number, name in enumerate(names):
            put(folder, name, f'{{"user": "{number}"}}\n')
        of = source(path, "json")
        assert self.files(folder, of=of) == names
        found = {row.user: row[ARRIVAL] for row in read(spark, of, folder).collect()}
        assert found == {str(number): NIGHT for number in range(len(names))}

    def test_all_below_a_day_are_one_folder(self, spark, tmp_path):
        put(tmp_path, "events/2026-01-31/a.json", '{"user": "u"}\n')
        of = source("events/{day}/**", "json")
        assert self.files(tmp_path, of=of) == ["events/2026-01-31"]
        assert [row[ARRIVAL] for row in read(spark, of, tmp_path).collect()] == [NIGHT]

    @pytest.mark.parametrize(
        ("path", "names"),
        [
            ("**/*", ["log.csv/part-0.csv", "log.csv/part-1.csv", "log.csv/more/part-2.csv", "b.csv"]),
            ("log.csv", ["log.csv/part-0.csv", "log.csv/more/part-1.csv", "log.csv/more/still/part-2.csv"]),
            ("*", ["log.csv/part-0.csv", "log.csv/kind=a/part-1.csv", "log.csv/kind=b/part-2.csv"]),
            ("**/*.csv", ["log.csv/kind=a/part-1.csv", "log.csv/kind=b/part-2.csv"]),
            ("_made/*", ["_made/part-0.csv"]),
        ],
    )
    def test_each_file_is_read_once(self, spark, tmp_path, path, names):
        """Whether the path means the file, its folder, or both."""
        for number, name in enumerate(names):
            put(tmp_path, name, f"{number},i,t\n")
        rows = read(spark, source(path), tmp_path).collect()
        assert sorted(row.user for row in rows) == [str(number) for number in range(len(names))]

    @pytest.mark.parametrize(
        "name", ["_temporary/0/part-0.json", ".trash/part-0.json", "eu/_part-0.json", "eu/.a.json"]
    )
    @pytest.mark.parametrize("path", ["events/**/*.json", "events"])
    def test_what_is_hidden_below_the_folder_is_not_read(self, tmp_path, path, name):
        put(tmp_path, f"events/{name}", "{}")
        with pytest.raises(UsageError, match="no file matches"):
            self.files(tmp_path, of=source(path, "json"))
        put(tmp_path, "events/a.json", "{}")
        files = check_inputs(source(path, "json"), tmp_path, NIGHT, None).files["log"]
        assert {file.suffix or file.name for file in files} <= {".json", "events"}
        assert not [file for file in files if "_temporary" in file.parts or ".trash" in file.parts]

    def test_folder_that_a_link_leads_to(self, spark, tmp_path):
        """Python goes through the link, and so must Spark, which would strike out `link/..`."""
        put(tmp_path, "real/in/log.csv", "u,i,t\n")
        put(tmp_path, "real/in/2026-01-31.csv", "u,i,t\n")
        (tmp_path / "real" / "deep").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
        folder = tmp_path / "link" / ".." / "in"
        assert [row.user for row in read(spark, source(), folder).collect()] == ["u"]
        assert [row.user for row in read(spark, source("../in/log.csv"), folder).collect()] == ["u"]
        assert [row[ARRIVAL] for row in read(spark, source("{day}.csv"), folder).collect()] == [NIGHT]

    @pytest.mark.parametrize(
        "chars", ["[ab]", "[!ab]", "[]a]", "[!]a]", "[^a]", "[[]", "[a&&b]", "[a-c]", "[a\\]", "[]^&]"]
    )
    def test_sets_of_characters_are_those_of_globs(self, chars):
        for char in "abcd]^&[-!\\":
            assert bool(re.fullmatch(one_of(chars), char)) == fnmatch.fnmatchcase(char, chars)

    def test_what_is_there_whole_may_lie_beside_the_folder(self, tmp_path):
        put(tmp_path, "log.csv", "")
        (tmp_path / "in").mkdir()
        assert self.files(tmp_path / "in" / "..", of=source("in/../log.csv")) == ["in/../log.csv"]

    def test_missing_folder_and_missing_file_name_the_path(self, tmp_path):
        with pytest.raises(UsageError, match=r"there is no folder .*/none"):
            check_inputs(self.by_day, tmp_path / "none", NIGHT, None)
        with pytest.raises(UsageError, match=r"input 'log': no file matches .*/log\.csv") as caught:
            check_inputs(source(), tmp_path, NIGHT, None)
        assert caught.value.exit_code == 2

    def test_every_input_must_be_there(self, tmp_path):
        put(tmp_path, "log.csv", "")
        of = source(inputs={"shelf": {"path": "shelf.parquet", "format": "parquet"}})
        with pytest.raises(UsageError, match="input 'shelf'"):
            check_inputs(of, tmp_path, NIGHT, None)
