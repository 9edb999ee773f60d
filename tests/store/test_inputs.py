"""Reading inputs: what is found, formats, and files that are broken in all the ways that files are."""

from __future__ import annotations

import datetime as dt
import fnmatch
import gzip
import json
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from chronotope.errors import DataError, SourceError, UsageError
from chronotope.ingest.records import ARRIVAL, CORRUPT, LINE, records_of
from chronotope.ingest.source import Source
from chronotope.store.faults import plain_faults
from chronotope.store.globs import one_of
from chronotope.store.inputs import check_inputs, plain_errors, read_inputs

NIGHT = dt.date(2026, 1, 31)
DDL = "user STRING, item STRING, at STRING"


def source(path="log.csv", format="csv", options=None, schema=DDL, **more):
    """A source of one input `log`."""
    rules = {"path": path, "format": format, "options": options or {}} | ({"schema": schema} if schema else {})
    return Source.model_validate(
        {
            "name": "s", "description": "a test", "inputs": {"log": rules, **more.pop("inputs", {})},
            "events": {
                "from": "log", "key": ["user", "item"], "identical": "same",
                "columns": {
                    "user_id": "user", "item_id": "item", "action": "'view'", "occurred_at": "at", "utc_offset_min": "0"
                } | more,
            },
        }
    )  # fmt: skip


def put(folder, name, content):
    """A file below the folder; text is UTF-8."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(spark, of, folder, previous=None):
    """The frame of input `log`."""
    return read_inputs(spark, of, check_inputs(of, folder, NIGHT, previous))["log"]


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


class TestJson:
    of = source("{day}/*.json*", "json", action="case when at > '' then 'view' end")

    def test_lines_keep_their_text_and_their_day(self, spark, tmp_path):
        line = '{"user":"ü 🍵","item":1,"at":"x","more":{"kept":true}}'
        put(tmp_path, "2026-01-30/a.json", line + "\n\n")
        put(tmp_path, "2026-01-31/b.json.gz", gzip.compress(b'{"user":"v"}\n'))
        rows = {row.user: row for row in read(spark, self.of, tmp_path).collect()}
        assert (rows["ü 🍵"][LINE], rows["ü 🍵"].item) == (line, "1")
        assert {user: row[ARRIVAL].day for user, row in rows.items()} == {"ü 🍵": 30, "v": 31}

    def test_broken_lines_are_kept_whole(self, spark, tmp_path):
        broken = [b'{"user":"u', b"[]", b"null", b"\0\0\0\0", b'"text"', b'{"user":"caf\xe9"}']
        put(tmp_path, "2026-01-31/a.json", b"\n".join(broken) + b'\n{"user":"fine"}\n')
        frame = read(spark, self.of, tmp_path)
        records = {row.record: row.malformed for row in records_of({"log": frame}, self.of).collect()}
        assert sum(records.values()) == 5
        assert records['{"user":"fine"}'] is False
        assert records['{"user":"caf\ufffd"}'] is False, "the rule on encoding sees it"
        assert json.dumps({CORRUPT: "\0\0\0\0"}, separators=(",", ":")) in records

    @pytest.mark.parametrize(
        "behind",
        ['{"user":"v"}', " garbage", "}", "} x", "]", ',{"user":"v"}', ' // "', "\0", '"'],
    )
    def test_a_line_is_one_object(self, spark, tmp_path, behind):
        """What stands behind it would be lost."""
        line = '{"user":"u"}' + behind
        put(tmp_path, "2026-01-31/a.json", line + "\n")
        (row,) = read(spark, self.of, tmp_path).collect()
        assert (row[CORRUPT], row[LINE]) == (line, line)

    @pytest.mark.parametrize(
        "line",
        ['{"user":"}{\\"}"} \t', ' {"user":"}{\\"}"}', '{"user":"}{\\"}"}\r', '{"user":"}{\\"}","more":[{"a":[]}]}'],
    )
    def test_blanks_and_braces_in_strings_are_no_fault(self, spark, tmp_path, line):
        put(tmp_path, "2026-01-31/a.json", line + "\n\r\n")
        of = source("{day}/*.json*", "json", options={"lineSep": "\n"})
        (row,) = read(spark, of, tmp_path).collect()
        assert (row.user, row[CORRUPT]) == ('}{"}', None)

    def test_a_value_that_does_not_fit_its_type_is_malformed(self, spark, tmp_path):
        of = source("log.json", "json", schema="user STRING, n INT")
        put(tmp_path, "log.json", '{"user":"u","n":"x"}\n{"user":"v","n":1}\n')
        rows = read(spark, of, tmp_path).orderBy("user").collect()
        assert [row[CORRUPT] for row in rows] == ['{"user":"u","n":"x"}', None]

    def test_fields_may_have_any_name(self, spark, tmp_path):
        of = source("log.json", "json", schema="parsed STRING, value STRING, chronotope_record STRING")
        put(tmp_path, "log.json", '{"parsed":"p","value":"v","chronotope_record":"r"}\n')
        (row,) = read(spark, of, tmp_path).collect()
        assert (row.parsed, row.value, row.chronotope_record, row[CORRUPT]) == ("p", "v", "r", None)

    def test_options_on_lines_and_on_values(self, spark, tmp_path):
        text = "{'user':'café'} /* more */\x1e{'user':'v'} // end\x1e"
        put(tmp_path, "log.json", text.encode("latin-1"))
        options = {"lineSep": "\x1e", "encoding": "iso-8859-1", "allowSingleQuotes": True, "allowComments": True}
        rows = read(spark, source("log.json", "json", options=options), tmp_path).collect()
        assert [(row.user, row[CORRUPT]) for row in rows] == [("café", None), ("v", None)]
        assert rows[0][LINE] == "{'user':'café'} /* more */"

    def test_numbers_with_point_or_exponent_are_rewritten_as_text(self, spark, tmp_path):
        put(tmp_path, "log.json", '{"user":1.10,"item":1e5,"at":12345678901234567890,"n":1.10}\n')
        of = source("log.json", "json", schema=f"{DDL}, n DECIMAL(9, 2)")
        (row,) = read(spark, of, tmp_path).collect()
        assert (row.user, row.item, row.at, str(row.n)) == ("1.1", "100000.0", "12345678901234567890", "1.10")

    def test_empty_folder_has_the_declared_columns(self, spark, tmp_path):
        (tmp_path / "2026-01-31").mkdir()
        frame = read(spark, self.of, tmp_path)
        assert records_of({"log": frame}, self.of).collect() == []


class TestCsv:
    header = source("*.csv", options={"header": True}, schema=None)

    def test_rfc_4180_and_extra_columns(self, spark, tmp_path):
        put(tmp_path, "a.csv", 'user,item,at,more\n"a ""b"", c",i,t,x\n')
        (row,) = read(spark, self.header, tmp_path).collect()
        assert (row.user, row.more, row[CORRUPT]) == ('a "b", c', "x", None)

    def test_missing_column_is_named_with_what_is_there(self, spark, tmp_path):
        put(tmp_path, "a.csv", "user,when\nu,t\n")
        with pytest.raises(SourceError, match=r"there is no column `item`; the input has 'user', 'when'$"):
            records_of({"log": read(spark, self.header, tmp_path)}, self.header)

    def test_files_of_different_headers_are_not_read_askew(self, spark, tmp_path):
        put(tmp_path, "a.csv", "user,item,at\nu,i,t\n")
        put(tmp_path, "b.csv", "item,user,at\ni,u,t\n")
        with pytest.raises(DataError, match=r"b\.csv.*header"), plain_faults(tmp_path / "tables"):
            read(spark, self.header, tmp_path).collect()

    def test_a_column_without_a_name_is_called_by_its_place(self, spark, tmp_path):
        """As pandas writes its index."""
        put(tmp_path, "2026-01-31.csv", ",user,item,at\n0,u,i,t\n1,v,i\n")
        rows = read(spark, source("{day}.csv", options={"header": True}, schema=None), tmp_path).collect()
        assert [(row["_c0"], row.user, row[CORRUPT], row[ARRIVAL]) for row in rows] == [
            ("0", "u", None, NIGHT),
            ("1", "v", "1,v,i", NIGHT),
        ]

    @pytest.mark.parametrize(
        ("header", "told"),
        [
            ("user,item,user,at", "user at 1, user at 3 of 4"),
            ("user,item,at,User", "user at 1, User at 4 of 4"),
            (",user,item,", "one without a name at 1, one without a name at 4 of 4"),
        ],
    )
    def test_columns_of_one_name_are_named(self, spark, tmp_path, header, told):
        put(tmp_path, "a.csv", f"{header}\nu,i,t,x\n")
        with pytest.raises(SourceError, match=told):
            read(spark, self.header, tmp_path)
        by_place = source("*.csv", options={"header": True, "enforceSchema": True}, schema=f"{DDL}, more STRING")
        assert [row.more for row in read(spark, by_place, tmp_path).collect()] == ["x"]

    def test_names_that_end_in_their_place_are_names(self, spark, tmp_path):
        put(tmp_path, "a.csv", "user0,user1,_c2\nu,v,w\n")
        assert read(spark, self.header, tmp_path).columns == ["user0", "user1", "_c2", CORRUPT]

    def test_a_line_break_in_a_field_takes_an_option(self, spark, tmp_path):
        put(tmp_path, "log.csv", 'u,"a\nb",t\n')
        assert [row[CORRUPT] for row in read(spark, source(), tmp_path).collect()] == ['u,"a', 'b",t']
        (row,) = read(spark, source(options={"multiLine": True}), tmp_path).collect()
        assert (row.item, row[CORRUPT]) == ("a\nb", None)

    def test_lines_of_too_many_and_too_few_fields_are_malformed(self, spark, tmp_path):
        put(tmp_path, "log.csv", "u,i,t\nu,i\nu,i,t,x\n")
        rows = read(spark, source(), tmp_path).collect()
        assert [row[CORRUPT] for row in rows] == [None, "u,i", "u,i,t,x"]

    def test_wrong_encoding_shows_and_the_right_one_reads(self, spark, tmp_path):
        put(tmp_path, "log.csv", "café,i,t\n".encode("latin-1"))
        assert [row.user for row in read(spark, source(), tmp_path).collect()] == ["caf\ufffd"]
        latin = source(options={"encoding": "ISO-8859-1"})
        assert [row.user for row in read(spark, latin, tmp_path).collect()] == ["café"]

    def test_one_megabyte_field_and_null_bytes(self, spark, tmp_path):
        put(tmp_path, "log.csv", "x" * 1_000_000 + ",a\0b,t\n")
        (row,) = read(spark, source(), tmp_path).collect()
        assert (len(row.user), row.item) == (1_000_000, "a\0b")

    def test_empty_files(self, spark, tmp_path):
        put(tmp_path, "a.csv", "user,item,at\n")
        put(tmp_path, "b.csv", "")
        assert read(spark, self.header, tmp_path).collect() == []
        put(tmp_path, "log.csv", "")
        assert read(spark, source(), tmp_path).collect() == []

    def test_the_header_is_that_of_the_first_file_that_has_one(self, spark, tmp_path):
        put(tmp_path, "a.csv", "")
        with pytest.raises(SourceError, match=r"all files are empty: declare a schema"):
            read(spark, self.header, tmp_path)
        put(tmp_path, "b.csv", "user,item,at\nu,i,t\n")
        assert [row.item for row in read(spark, self.header, tmp_path).collect()] == ["i"]


class TestBrokenFiles:
    def test_truncated_gzip_names_the_file(self, spark, tmp_path):
        whole = gzip.compress("".join(f"user {n},item,{n * 7919}\n" for n in range(5000)).encode())
        put(tmp_path, "log.csv", whole)  # not compressed by its name: read as text, to show that the name decides
        of = source("*.gz")
        put(tmp_path, "log.csv.gz", whole[: len(whole) // 2])
        with pytest.raises(DataError) as caught, plain_faults(tmp_path / "tables"):
            read(spark, of, tmp_path).collect()
        assert "log.csv.gz to its end (EOFException" in str(caught.value)
        assert caught.value.exit_code == 4

    def test_file_that_is_no_parquet(self, spark, tmp_path):
        put(tmp_path, "log.parquet", b"no parquet at all")
        with pytest.raises((DataError, SourceError), match=r"log\.parquet"), plain_faults(tmp_path / "tables"):
            read(spark, source("log.parquet", "parquet", schema=None), tmp_path)

    def test_expression_that_fails_on_a_record(self, spark, tmp_path):
        put(tmp_path, "log.csv", "u,i,t\n")
        of = source(value="cast(user as int)")
        with pytest.raises(SourceError, match=r"'u' of the type .* use the try_ form"), plain_errors(of):
            records_of({"log": read(spark, of, tmp_path)}, of).collect()

    def test_other_errors_pass_through(self):
        with pytest.raises(ZeroDivisionError), plain_errors(source()):
            raise ZeroDivisionError


class TestParquetAndDelta:
    def test_timestamps_without_zone_stay_without(self, spark, tmp_path):
        at = dt.datetime(2012, 1, 1, 8, 26)
        pq.write_table(pa.table({"at": pa.array([at], pa.timestamp("us"))}), tmp_path / "log.parquet")
        frame = read(spark, source("log.parquet", "parquet", schema=None), tmp_path)
        assert frame.dtypes == [("at", "timestamp_ntz")]
        assert frame.collect() == [(at,)]

    def test_folder_of_part_files(self, spark, tmp_path):
        (tmp_path / "log.parquet").mkdir()
        for n in range(2):
            pq.write_table(pa.table({"user": [str(n)]}), tmp_path / "log.parquet" / f"part-{n}.parquet")
        rows = read(spark, source("log.parquet", "parquet", schema=None), tmp_path).collect()
        assert sorted(row.user for row in rows) == ["0", "1"]

    def test_delta_table_with_text_partitions_at_its_latest_version(self, spark, tmp_path):
        of, path = source("log", "delta", schema=None), tmp_path / "log"
        table = pa.table({"user": ["a", "b"], "part": ["01", "02"], "n": pa.array([1, 2], pa.int32())})
        write_deltalake(str(path), table, partition_by=["part"])
        write_deltalake(str(path), table.slice(0, 1), mode="overwrite", partition_by=["part"])
        frame = read(spark, of, tmp_path)
        assert frame.collect() == [("a", "01", 1)]
        assert dict(frame.dtypes)["n"] == "int"

    def test_a_delta_input_is_one_table(self, tmp_path):
        for name in ("log1", "log2"):
            write_deltalake(str(tmp_path / name), pa.table({"user": ["a"]}))
        with pytest.raises(UsageError, match=r"log\* matches 2 tables, .*log1 and .*log2 among them"):
            check_inputs(source("log*", "delta", schema=None), tmp_path, NIGHT, None)

    def test_folder_without_delta_log(self, spark, tmp_path):
        put(tmp_path, "log/part.parquet", "")
        with pytest.raises(SourceError, match="is no Delta table"):
            read(spark, source("log", "delta", schema=None), tmp_path)
