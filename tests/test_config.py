"""Settings: typed, frozen, and every mistake named before Spark starts."""

from __future__ import annotations

import copy
import subprocess
import sys

import pydantic
import pytest
import yaml

from chronotope.config import Settings, build, load_settings, slots_of
from chronotope.errors import SettingsError
from chronotope.flow import STAGES


@pytest.fixture
def values(settings_file):
    return yaml.safe_load(settings_file.read_text(encoding="utf-8"))


def changed(values, name, value):
    found = copy.deepcopy(values)
    section, key = name.split(".")
    found[section][key] = value
    return found


def test_the_shipped_settings_are_complete(defaults):
    assert list(type(defaults).model_fields) == ["night", *STAGES, "alarms"]
    assert defaults.recommend.k == 10


def test_an_unknown_key_is_refused_with_the_nearest_known_one(values):
    values["sessions"]["gaps_s"] = 1.0
    with pytest.raises(SettingsError, match=r"unknown key sessions.gaps_s; did you mean 'gap_s'\?"):
        build(values, "file.yaml")


def test_an_unknown_section_is_refused_with_the_nearest_known_one(values):
    values["session"] = {}
    with pytest.raises(SettingsError, match=r"unknown key session; did you mean 'sessions'\?"):
        build(values, "file.yaml")


def test_nights_know_at_least_what_an_example_holds(values):
    with pytest.raises(SettingsError, match=r"sessions.kept_steps = 99 must not be below train.max_steps = 100"):
        build(changed(values, "sessions.kept_steps", 99), "file.yaml")
    assert build(changed(values, "sessions.kept_steps", 100), "file.yaml").sessions.kept_steps == 100


def test_a_missing_key_is_named(values):
    del values["recommend"]["k"]
    with pytest.raises(SettingsError, match=r"file.yaml: recommend.k is missing"):
        build(values, "file.yaml")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("recommend.k", "ten"),
        ("recommend.k", 0),
        ("recommend.k", 2.5),
        ("recommend.k", True),
        ("embed.device", "gpu"),
        ("ingest.max_reject_share", 1.5),
        ("ingest.actions", "view"),
        ("train.dropout", 1.0),
        ("night.format", "iceberg"),
        ("night.seed", "1"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_found(values, name, value):
    with pytest.raises(SettingsError) as caught:
        build(changed(values, name, value), "file.yaml")
    assert f"{name} = {value!r}" in str(caught.value)


def test_every_fault_is_told_at_once(values):
    values["recommend"]["k"] = 0
    values["train"]["epoch"] = 3
    del values["embed"]["device"]
    with pytest.raises(SettingsError) as caught:
        build(values, "file.yaml")
    for fault in ("recommend.k = 0", "unknown key train.epoch; did you mean 'epochs'", "embed.device is missing"):
        assert fault in str(caught.value)


def test_dayparts_cover_each_slot_once(defaults):
    slots = [slot for ranges in defaults.night.dayparts.values() for slot in slots_of(ranges)]
    assert sorted(slots) == list(range(168))


@pytest.mark.parametrize(
    ("dayparts", "message"),
    [
        ({"week": [[0, 4, 0, 24]]}, r"never: \[120, 121"),
        ({"all": [[0, 6, 0, 24]], "monday": [[0, 0, 0, 1]]}, r"named twice: \[0\], never: \[\]"),
        ({}, "each slot of the week belongs to one daypart"),
    ],
)
def test_dayparts_with_a_hole_or_an_overlap_are_refused(values, dayparts, message):
    with pytest.raises(SettingsError, match=message):
        build(changed(values, "night.dayparts", dayparts), "file.yaml")


WEEK = [0, 6, 0, 24]


@pytest.mark.parametrize(
    "ranges",
    [[], [[]], [[0, 6, 0]], [[6, 0, 0, 24]], [[0, 7, 0, 24]], [[-1, 6, 0, 24]], [[0, 6, 0, 25]], [WEEK, [0, 0, 6, 6]]],
)
def test_a_daypart_without_a_slot_or_beyond_the_week_is_named(values, ranges):
    said = r"night\.dayparts = .* x is \[.*give at least one \[first day, last day, first hour, end hour\], with 0 <="
    with pytest.raises(SettingsError, match=said):
        build(changed(values, "night.dayparts", {"week": [WEEK], "x": ranges}), "file.yaml")


@pytest.mark.parametrize(("ks", "said"), [([], r"evaluate\.ks = \[\]"), ([5, 0], r"evaluate\.ks\.1 = 0")])
def test_metrics_need_lengths_of_lists(values, ks, said):
    with pytest.raises(SettingsError, match=said):
        build(changed(values, "evaluate.ks", ks), "file.yaml")


def test_lists_can_hide_only_what_can_happen(values):
    values = changed(values, "recommend.hide_actions", ["buy", "bye"])
    build(values, "file.yaml")
    values = changed(values, "recommend.seen", "hide")
    with pytest.raises(SettingsError, match=r"hide_actions names bye, and ingest\.actions takes view, .*: correct one"):
        build(values, "file.yaml")
    values["ingest"]["actions"].append("bye")
    build(values, "file.yaml")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc/passwd", "UTC+1"])
def test_a_time_zone_that_is_none_is_refused(values, zone):
    with pytest.raises(SettingsError, match="is no IANA time zone, such as Europe/Berlin"):
        build(changed(values, "night.time_zone", zone), "file.yaml")


def test_overrides_are_laid_over_the_sources_settings_over_the_file(settings_file):
    source = {"recommend": {"k": 5, "seen": "hide"}}
    settings = load_settings(settings_file, source, ["recommend.k=3", "interest.action_weights.buy=9.5"])
    assert (settings.recommend.k, settings.recommend.seen) == (3, "hide")
    assert settings.interest.action_weights["buy"] == 9.5
    assert settings.recommend.candidates == load_settings(settings_file).recommend.candidates


def test_an_override_may_add_an_entry_to_a_mapping(settings_file):
    settings = load_settings(settings_file, overrides=["interest.action_weights.share=4.0"])
    assert settings.interest.action_weights["share"] == 4.0


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("recommend.kk=3", r"--set: unknown 'recommend.kk'; did you mean 'k'\?"),
        ("recomend.k=3", r"--set: unknown 'recomend.k'; did you mean 'recommend'\?"),
        ("recommend.k", "--set recommend.k: write section.key=value"),
        ("recommend=3", "--set: unknown 'recommend'"),
        ("recommend.k.x=3", "--set: unknown 'recommend.k.x'"),
        ("recommend.k=many", "recommend.k = 'many'"),
        ("recommend.k=[", "--set recommend.k=.*YAML"),
    ],
)
def test_a_mistaken_override_says_what_to_change(settings_file, override, message):
    with pytest.raises(SettingsError, match=message):
        load_settings(settings_file, overrides=[override])


def test_a_sources_unknown_setting_is_refused(settings_file):
    with pytest.raises(SettingsError, match=r"the source's settings: unknown 'sessions.gap'; did you mean 'gap_s'\?"):
        load_settings(settings_file, {"sessions": {"gap": 60.0}})


def test_settings_are_frozen(defaults):
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        defaults.recommend.k = 20


def test_the_digest_changes_with_every_setting_and_with_nothing_else(settings_file, values):
    digest = load_settings(settings_file).digest()
    assert load_settings(settings_file).digest() == digest
    assert load_settings(settings_file, overrides=["recommend.k=11"]).digest() != digest
    # No row of a user follows from them.
    for told in ("alarms.max_psi=9.0", "night.log=json", "ingest.max_reject_share=0.5"):
        assert load_settings(settings_file, overrides=[told]).digest() == digest
    reordered = {section: dict(reversed(values[section].items())) for section in reversed(values)}
    reordered["night"]["dayparts"] = values["night"]["dayparts"]
    assert Settings.model_validate(reordered).digest() == digest


@pytest.mark.parametrize(
    ("text", "message"),
    [("night: [", "is not valid YAML"), ("- 1", "holds no mapping"), ("", "holds no mapping")],
)
def test_a_file_that_is_no_settings_file_is_named(tmp_path, text, message):
    file = tmp_path / "wrong.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=f"wrong.yaml {message}"):
        load_settings(file)


def test_a_missing_or_unreadable_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"cannot read .*none.yaml: No such file"):
        load_settings(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("café: 1".encode("latin-1"))
    with pytest.raises(SettingsError, match=r"latin.yaml is not valid YAML"):
        load_settings(tmp_path / "latin.yaml")


def test_a_section_that_is_no_mapping_is_named(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text("recommend: 3\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"--set: unknown 'recommend.k'"):
        load_settings(file, overrides=["recommend.k=3"])
    with pytest.raises(SettingsError, match="recommend = 3"):
        load_settings(file)


def test_reading_settings_starts_neither_spark_nor_torch(settings_file):
    code = (
        "import sys; from pathlib import Path; from chronotope.config import load_settings;"
        f"load_settings(Path({str(settings_file)!r})); print([m for m in ('pyspark', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
