from __future__ import annotations

import datetime as dt

import pytest

from chronotope.evaluate.alarms import MEANING, PROTOCOL, alarms

NIGHT = dt.date(2012, 10, 31)
ROW = {"night": NIGHT, "protocol": PROTOCOL, "slice": "all", "metric": "psi_actions", "value": 0.3, "high": 0.25}


@pytest.mark.parametrize(
    ("changed", "n"),
    [({}, 1), ({"value": 0.25}, 0), ({"value": None}, 0), ({"high": None}, 0), ({"protocol": "tail_next"}, 0),
     ({"metric": "share"}, 0)],
)  # fmt: skip
def test_a_value_above_its_threshold_raises_an_alarm(changed, n):
    assert len(alarms([ROW | changed])) == n


@pytest.mark.parametrize("metric", MEANING)
def test_every_alarm_says_on_one_line_what_is_too_much_and_where_to_look(metric):
    (alarm,) = alarms([ROW | {"metric": metric, "slice": "source=shop"}])
    assert alarm.message.startswith(f"{metric} of source=shop is 0.3, above 0.25: ")
    assert "\n" not in alarm.message
    assert alarm.message.count("; ") == 1


def test_alarms_come_in_one_order():
    rows = [ROW | {"metric": metric, "night": night} for metric in reversed(MEANING)
            for night in (NIGHT, NIGHT - dt.timedelta(1))]  # fmt: skip
    found = [(alarm.night, alarm.metric) for alarm in alarms(rows)]
    assert found == [(night, metric) for night in (NIGHT - dt.timedelta(1), NIGHT) for metric in MEANING]
