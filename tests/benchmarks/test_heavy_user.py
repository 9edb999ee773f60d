"""The log in which one user did everything."""

import json

from benchmarks.heavy_user import as_one_user


def test_only_the_users_of_records_that_name_one_are_changed(tmp_path):
    day = tmp_path / "many" / "events" / "day=2026-02-02"
    day.mkdir(parents=True)
    (tmp_path / "many" / "items").mkdir()
    (tmp_path / "many" / "items" / "items.csv").write_text("item\na\n")
    first = {"event_id": "1", "user": "u7", "query": "who is u7"}
    records = [first, {"event_id": "2", "user": None}, {"event_id": "3"}]
    (day / "part-0.txt").write_text("\n".join(json.dumps(record, separators=(",", ":")) for record in records))
    as_one_user(tmp_path / "many", tmp_path / "one")
    lines = (tmp_path / "one" / "events" / "day=2026-02-02" / "part-0.txt").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{**first, "user": "one"}, *records[1:]]
    assert (tmp_path / "one" / "items" / "items.csv").read_text() == "item\na\n"
