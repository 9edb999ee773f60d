import datetime as dt
import hashlib

import pytest

from tests.rows import NIGHT, frame

END = dt.datetime(2012, 11, 1, tzinfo=dt.UTC)


def digest(text):
    return hashlib.md5(text.encode()).hexdigest()


def before_end(days):
    return END - dt.timedelta(days=days)


@pytest.fixture
def with_settings(defaults):
    """The shipped settings with some of section interest, and the time zone, replaced."""

    def change(time_zone="UTC", **values):
        return defaults.model_copy(
            update={
                "interest": defaults.interest.model_copy(update=values),
                "night": defaults.night.model_copy(update={"time_zone": time_zone}),
            }
        )

    return change


@pytest.fixture
def make(spark):
    """Frames of items given as {id: text} and of events given as overrides."""

    def build(texts, events):
        items = [
            {"item_id": item_id, "text": text, "text_digest": None if text is None else digest(text)}
            for item_id, text in texts.items()
        ]
        numbered = [{"event_id": f"e{n}", **event} for n, event in enumerate(events)]
        return frame(spark, "items", items), frame(spark, "events", numbered)

    return build


@pytest.fixture
def sums_of(make):
    """{user: {horizon: {term: weight}}} of texts and events; rows of the table when `raw`."""
    from chronotope.interest import term_sums, tokens

    def run(texts, events, settings, night=NIGHT, partitions=None, raw=False):
        items, frame_of_events = make(texts, events)
        if partitions:
            frame_of_events = frame_of_events.repartition(partitions)
        found = term_sums(frame_of_events, tokens(items, frame_of_events, settings), settings, night)
        return found if raw else as_dict(found)

    return run


def as_dict(term_sums):
    return {
        row.user_id: {
            "long": dict(zip(row.terms.split(" "), row.long, strict=True)),
            "short": dict(zip(row.terms.split(" "), row.short, strict=True)),
        }
        for row in term_sums.collect()
    }
