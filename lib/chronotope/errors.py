"""The errors that Chronotope raises for its users; each message says what is wrong, where, and what to change."""

from __future__ import annotations


class ChronotopeError(Exception):
    """The night cannot go on; `exit_code` is what the process ends with."""

    exit_code = 1


class UsageError(ChronotopeError):
    """Something that the caller gave is wrong: a setting, a path, a date, a source file. Nothing was changed."""

    exit_code = 2


class SettingsError(UsageError):
    """A setting is unknown, missing or of the wrong type."""


class SourceError(UsageError):
    """A source file is wrong, or its input has not the columns or the format that it names."""


class SchemaError(ChronotopeError):
    """A frame does not match the declaration of its table; the message names every fault at once."""

    exit_code = 3


class DataError(ChronotopeError):
    """The night's data is unfit: too many records refused, or not one event."""

    exit_code = 4


class StoreError(ChronotopeError):
    """A table cannot be read, written or published; the last published night is untouched."""

    exit_code = 5


class LockedError(StoreError):
    """Another night holds these tables."""

    exit_code = 6


class ModelError(ChronotopeError):
    """A model's files are missing or were made for other data."""

    exit_code = 7


class DeviceError(ChronotopeError):
    """The device that the settings ask for is not on this machine."""

    exit_code = 8


class LostError(ChronotopeError):
    """Spark, one of its executors or Python workers was killed or ran out of memory; the same night can go on."""

    exit_code = 9


class AlarmError(ChronotopeError):
    """The night is published and whole, and something about it asks to be looked at: see `chronotope alarms`."""

    exit_code = 10
