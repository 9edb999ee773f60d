"""The source file: what is taken, and what each mistake is told."""

from __future__ import annotations

import copy

import pytest
import yaml

from chronotope.config import load_settings
from chronotope.errors import SourceError
from chronotope.ingest.source import Source, load_source
from tests.conftest import ROOT

SHIPPED = sorted((ROOT / "conf" / "sources").glob("*.yaml"))
GOOD = yaml.safe_load("""
name: shop
description: a shop
inputs:
  log: {path: "{day}.csv", format: csv, options: {header: true}}
  tags: {path: tags.parquet, format: parquet, group_by: [item], columns: {tags: max(tag)}}
events:
  from: log
  key: [n]
  identical: same
  columns: {user_id: u, item_id: i, action: "'buy'", occurred_at: t, utc_offset_min: "0"}
items:
  from: log
  join: [{input: tags, using: [item]}]
  columns: {item_id: i}
""")


def written(tmp_path, change):
    """The file of GOOD after `change` has worked on a copy of it."""
    values = copy.deepcopy(GOOD)
    change(values)
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def as_json(**options):
    """A change that makes the log JSON with these options."""
    return lambda values: values["inputs"]["log"].update(format="json", schema="u STRING", options=options)


def test_good_source_is_read(tmp_path):
    shop = load_source(written(tmp_path, lambda values: None))
    assert shop.by_day
    assert shop.events.origin == "log"
    assert not shop.items_from_events, "a join is only possible with a catalogue of its own"


def test_no_items_is_a_source_too(tmp_path):
    assert load_source(written(tmp_path, lambda values: values.pop("items"))).items is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda v: v.update(nmae="x"), "unknown key nmae; did you mean 'name'?"),
        (lambda v: v["events"].update(form="log"), "unknown key events.form; did you mean 'from'?"),
        (lambda v: v["events"]["columns"].update(use_id="u"), "events.columns.use_id; did you mean 'user_id'?"),
        (lambda v: v["inputs"]["log"].update(fromat="csv"), "inputs.log.fromat; did you mean 'format'?"),
        (lambda v: v["items"]["join"][0].update(usign=["x"]), "items.join.0.usign; did you mean 'using'?"),
        (lambda v: v["events"].pop("identical"), "events.identical is missing"),
        (lambda v: v["events"].update(identical="maybe"), "'same' or 'separate'"),
        (lambda v: v["events"].update(key=[]), "events.key = []"),
        (lambda v: v.update(name="My Shop"), "name = 'My Shop'"),
        (lambda v: v["events"].update({"from": "lgo"}), "there is no input 'lgo'; did you mean 'log'?"),
        (lambda v: v["items"]["join"][0].update(input="tag"), "there is no input 'tag'; did you mean 'tags'?"),
        (lambda v: v["events"]["columns"].pop("utc_offset_min"), "events need local time"),
        (lambda v: v.update(time_zones={"*": "Europe/Atlantis"}), "no IANA time zones"),
        (lambda v: v["inputs"]["log"].update(options={}), "inputs.log: needs a schema"),
        (lambda v: v["inputs"]["log"].update(format="json"), "inputs.log: needs a schema"),
        (lambda v: v["inputs"]["log"].update(format="delta"), "takes no {day}"),
        (lambda v: v["inputs"]["log"].update(format="xls"), "inputs.log.format = 'xls'"),
        (lambda v: v["inputs"]["log"].update(path=""), "inputs.log: path '' names nothing"),
        (lambda v: v["inputs"]["log"].update(path="."), "inputs.log: path '.' names nothing"),
        (lambda v: v["inputs"]["log"].update(path="**{day}.csv"), "** stands for folders, alone between slashes"),
        (as_json(multiLine=True), "option multiLine has no effect on json: put each object on a line of its own"),
        (as_json(mode="FAILFAST"), "option mode has no effect on json"),
        (as_json(allowComment=True), "leave it out; did you mean 'allowComments'?"),
        (as_json(Encoding="utf-16"), "json in UTF-16 cannot be read: have it in one of UTF-8, ISO-8859-1"),
        (lambda v: v["inputs"]["tags"].pop("columns"), "group_by and columns belong together"),
        (lambda v: v["events"]["columns"].update(value=1), "events.columns.value = 1"),
    ],
)
def test_mistake_is_named(tmp_path, change, told):
    path = written(tmp_path, change)
    with pytest.raises(SourceError) as caught:
        load_source(path)
    assert told in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_mistakes_are_named_at_once(tmp_path):
    def change(values):
        values["events"].pop("key")
        values["inputs"]["log"]["format"] = "xls"
        values["typo"] = 1

    with pytest.raises(SourceError) as caught:
        load_source(written(tmp_path, change))
    assert all(word in str(caught.value) for word in ("events.key is missing", "'xls'", "unknown key typo"))


def test_missing_file_and_bad_yaml(tmp_path):
    with pytest.raises(SourceError, match="cannot read"):
        load_source(tmp_path / "none.yaml")
    (tmp_path / "bad.yaml").write_text("a: [")
    with pytest.raises(SourceError, match="not valid YAML"):
        load_source(tmp_path / "bad.yaml")


def test_source_is_frozen():
    with pytest.raises(ValueError, match="frozen"):
        Source.model_validate(GOOD).name = "other"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_sources_fit_the_settings(path, settings_file):
    shipped = load_source(path)
    assert shipped.name == path.stem
    settings = load_settings(settings_file, shipped.settings)
    assert set(settings.recommend.hide_actions) <= set(settings.ingest.actions)
