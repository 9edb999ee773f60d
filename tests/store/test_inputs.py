"""Reading inputs: formats, and files that are broken in all the ways that files are."""

from __future__ import annotations

import datetime as dt
import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import write_deltalake

from chronotope.errors import DataError, SourceError, UsageError
from chronotope.ingest.records import ARRIVAL, CORRUPT, LINE, records_of
from chronotope.store.faults import plain_faults
from chronotope.store.inputs import check_inputs, plain_errors
from tests.store.logs import DDL, NIGHT, put, read, source


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
