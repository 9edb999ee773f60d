"""Every setting, typed and frozen; `conf/chronotope.yaml` holds the values, their units and the reasons."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from chronotope.errors import SettingsError


class Section(BaseModel):
    """A frozen section: unknown keys and wrong types are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NightSettings(Section):
    """What all stages share."""

    time_zone: str
    late_days: int = Field(ge=0)
    refresh_days: int = Field(ge=1)
    seed: int
    format: Literal["delta", "parquet"]
    log: Literal["text", "json"]
    threads: int = Field(ge=1)
    dayparts: dict[str, list[list[int]]]

    @field_validator("time_zone")
    @classmethod
    def known_zone(cls, name: str) -> str:
        """Refuse a time zone that the IANA database has not."""
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Berlin") from error
        return name

    @field_validator("dayparts")
    @classmethod
    def whole_week(cls, dayparts: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
        """Refuse ranges that are none, and dayparts that leave a slot out or name it twice."""
        for name, ranges in dayparts.items():
            if not ranges or not all(map(is_range, ranges)):
                raise ValueError(
                    f"{name} is {ranges}: give at least one [first day, last day, first hour, end hour], "
                    "with 0 <= first day <= last day <= 6 and 0 <= first hour < end hour <= 24"
                )
        named = sorted(slot for ranges in dayparts.values() for slot in slots_of(ranges))
        if named != list(range(168)):
            twice = sorted({s for s in named if named.count(s) > 1})
            never = sorted(set(range(168)) - set(named))
            raise ValueError(f"each slot of the week belongs to one daypart; named twice: {twice}, never: {never}")
        return dayparts


class IngestSettings(Section):
    """Stage ingest."""

    max_reject_share: float = Field(ge=0, le=1)
    cell_resolution: int = Field(ge=0, le=15)
    region_resolution: int = Field(ge=0, le=15)
    actions: list[str]


class InterestSettings(Section):
    """Stage interest."""

    half_life_long_days: float = Field(gt=0)
    half_life_short_days: float = Field(gt=0)
    action_weights: dict[str, float]
    idf: Literal["smooth", "plain"]
    documents: Literal["items", "users"]
    max_terms: int = Field(ge=1)
    min_token_chars: int = Field(ge=1)


class SessionsSettings(Section):
    """Stage sessions."""

    gap_s: float = Field(gt=0)
    kept_steps: int = Field(ge=2)


class EmbedSettings(Section):
    """Stage embed."""

    model: str
    allow_download: bool
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["fp32", "bf16"]
    batch_size: int = Field(ge=1)
    max_tokens: int = Field(ge=2, le=512)


class TrainSettings(Section):
    """Stage train."""

    sequence: bool
    memory: bool
    repeats: bool
    own_vectors: bool
    encoder: Literal["lstm", "gru", "transformer"]
    loader: Literal["parquet", "petastorm"]
    dim: int = Field(ge=1)
    hidden: int = Field(ge=1)
    half_lives_steps: list[Annotated[float, Field(ge=1)]]
    trust_hidden: int = Field(ge=2)
    max_steps: int = Field(ge=2)
    history_steps: int = Field(ge=2)
    exact_items: int = Field(ge=1)
    epochs: int = Field(ge=1)
    patience: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    trust_learning_rate: float = Field(gt=0)
    rate_decay: float = Field(gt=0, le=1)
    weight_decay: float = Field(ge=0)
    trust_weight_decay: float = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)
    trust_dropout: float = Field(ge=0, lt=1)
    label_smoothing: float = Field(ge=0, lt=1)
    ahead_share: float = Field(ge=0, lt=1)
    kl_weight: float = Field(ge=0)
    mask_previous: float = Field(ge=0, le=1)
    mask_lately: float = Field(ge=0, le=1)
    tail_days: int = Field(ge=1)
    max_minutes: float = Field(gt=0)


class InferSettings(Section):
    """Stage infer."""

    device: Literal["auto", "cpu", "cuda"]
    batch_users: int = Field(ge=1)
    n_topics: int = Field(ge=2)


class RecommendSettings(Section):
    """Stage recommend."""

    k: int = Field(ge=1)
    seen: Literal["keep", "hide"]
    hide_actions: list[str]
    max_contexts: int = Field(ge=1)
    max_regions: int = Field(ge=1)
    candidates: int = Field(ge=1)
    near_m: float = Field(ge=0)


class EvaluateSettings(Section):
    """Stage evaluate."""

    ks: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    confidence: float = Field(gt=0, lt=1)
    max_queries: int = Field(ge=1)
    light_events: int = Field(ge=1)
    heavy_events: int = Field(ge=1)
    near_m: float = Field(ge=0)
    gate_confidence: float = Field(gt=0, lt=1)


class AlarmSettings(Section):
    """What a published night is watched for, see `chronotope.evaluate.watch`."""

    trailing_days: int = Field(ge=1)
    max_event_age_hours: float = Field(gt=0)
    max_shortfall: float = Field(ge=1)
    reject_ratio: float = Field(ge=1)
    min_reject_share: float = Field(ge=0, le=1)
    max_without_list_share: float = Field(ge=0, le=1)
    max_psi: float = Field(gt=0)
    psi_confidence: float = Field(gt=0, lt=1)
    max_churn_share: float = Field(ge=0, le=1)


class Settings(Section):
    """All of it: one section per stage, one for the night and one for its alarms."""

    night: NightSettings
    ingest: IngestSettings
    interest: InterestSettings
    sessions: SessionsSettings
    embed: EmbedSettings
    train: TrainSettings
    infer: InferSettings
    recommend: RecommendSettings
    evaluate: EvaluateSettings
    alarms: AlarmSettings

    @model_validator(mode="after")
    def knows_what_is_trained_on(self) -> Settings:
        """Refuse nights that know less of a user than one training example holds."""
        kept, learned = self.sessions.kept_steps, self.train.max_steps
        if kept < learned:
            raise ValueError(f"sessions.kept_steps = {kept} must not be below train.max_steps = {learned}")
        return self

    @model_validator(mode="after")
    def hides_what_can_happen(self) -> Settings:
        """Refuse to hide what was met with actions that ingest takes of nobody: nothing would be hidden."""
        taken, recommend = self.ingest.actions, self.recommend
        unknown = [action for action in recommend.hide_actions if action not in taken]
        if recommend.seen == "hide" and unknown:
            raise ValueError(
                f"recommend.hide_actions names {', '.join(unknown)}, and ingest.actions takes "
                f"{', '.join(taken) or 'none'}: correct one of the two"
            )
        return self

    def digest(self) -> str:
        """12 hex digits that change with any setting that rows may follow from.

        Those are all but `alarms`, `night.log` and `ingest.max_reject_share`, which ends a night or changes nothing.
        """
        settings = self.model_dump(exclude={"alarms": True, "night": {"log"}, "ingest": {"max_reject_share"}})
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def is_range(of: Sequence[int]) -> bool:
    """Whether these are `[first day, last day, first hour, end hour]` of a week.

    >>> [is_range(of) for of in ([5, 6, 0, 24], [6, 5, 0, 24], [0, 0, 6, 6], [0, 7, 0, 24], [0, 6, 0])]
    [True, False, False, False, False]
    """
    return len(of) == 4 and 0 <= of[0] <= of[1] <= 6 and 0 <= of[2] < of[3] <= 24


def slots_of(ranges: Iterable[Iterable[int]]) -> list[int]:
    """The slots of one daypart's `[first day, last day, first hour, end hour]` ranges.

    >>> slots_of([[5, 6, 0, 2]])
    [120, 121, 144, 145]
    """
    slots = []
    for first_day, last_day, first_hour, end_hour in ranges:
        slots += [24 * day + hour for day in range(first_day, last_day + 1) for hour in range(first_hour, end_hour)]
    return slots


def load_settings(
    path: Path, source_settings: Mapping[str, Mapping[str, Any]] | None = None, overrides: Iterable[str] = ()
) -> Settings:
    """Read the settings file, lay a source's settings over it, then the `section.key=value` overrides.

    Raises:
        SettingsError: for a missing file, bad YAML, an unknown or missing key (with the nearest known one) or a
            wrong type; all faults at once.
    """
    values = read_yaml(path)
    for section, entries in (source_settings or {}).items():
        for key, value in entries.items():
            assign(values, f"{section}.{key}", value, "the source's settings")
    for override in overrides:
        name, separator, text = override.partition("=")
        if not separator:
            raise SettingsError(f"--set {override}: write section.key=value")
        assign(values, name.strip(), read_value(override, text), "--set")
    return build(values, str(path))


def build(values: Mapping[str, Any], where: str) -> Settings:
    """The typed settings of a mapping.

    Raises:
        SettingsError: naming every fault, and the nearest known key for an unknown one.
    """
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        faults = [describe(fault) for fault in error.errors()]
        raise SettingsError(f"{where}: " + "; ".join(faults)) from error


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        SettingsError: when the file is missing, is no YAML or holds no mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path} holds no mapping of keys to values")
    return values


def read_value(override: str, text: str) -> Any:
    """The value of an override, written as in YAML.

    Raises:
        SettingsError: when it is no YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"--set {override}: the value is not valid YAML: {error}") from error


def assign(values: dict[str, Any], name: str, value: Any, who: str) -> None:
    """Set `section.key`, or `section.key.entry` of a mapping, in place.

    Raises:
        SettingsError: when there is no such section or key.
    """
    *path, last = name.split(".")
    room: Any = values
    for key in path:
        if not isinstance(room, dict) or key not in room:
            raise SettingsError(f"{who}: unknown {name!r}{nearest(key, room)}")
        room = room[key]
    if not path or not isinstance(room, dict) or (last not in room and len(path) == 1):
        raise SettingsError(f"{who}: unknown {name!r}{nearest(last, room)}")
    room[last] = value


def nearest(key: str, known: Any) -> str:
    """`; did you mean ...?` with the nearest key of a mapping, or nothing."""
    matches = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5) if isinstance(known, Mapping) else []
    return f"; did you mean {matches[0]!r}?" if matches else ""


def describe(fault: Any) -> str:
    """One pydantic fault in words."""
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        section: Any = Settings
        for part in fault["loc"][:-1]:
            section = section.model_fields[part].annotation
        return f"unknown key {place}{nearest(str(fault['loc'][-1]), section.model_fields)}"
    if not fault["loc"]:
        return str(fault["msg"])
    if fault["type"] == "missing":
        return f"{place} is missing"
    return f"{place} = {fault['input']!r}: {fault['msg']}"
