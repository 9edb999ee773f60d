import datetime as dt
import functools
import os
from pathlib import Path

import pytest

from chronotope.recommend.recommendations import recommendations
from chronotope.tables import TABLES
from tests.recommend.test_contexts import forecast
from tests.recommend.test_lists import EVENTS, ITEMS, WEIGHTS
from tests.recommend.world import PlainScorer, catalogue, histories, history, with_recommend
from tests.rows import NIGHT, frame

NIGHT_END = dt.datetime(2012, 11, 1, tzinfo=dt.UTC)


def load_plain(loads: Path | None = None, model_id: str = "plain") -> PlainScorer:
    """Loads the scorer, and leaves a trace of having done so."""
    if loads is not None:
        (loads / f"{os.getpid()}-{len(list(loads.iterdir()))}").touch()
    return PlainScorer(catalogue(ITEMS, EVENTS), WEIGHTS, model_id)


def run(spark, settings, users=(), forecasts=(), states=None, hidden=None, load=load_plain, partitions=2):
    return recommendations(
        histories(spark, [history(name, steps) for name, steps in users]).repartition(partitions),
        frame(spark, "forecasts", list(forecasts)),
        states,
        hidden,
        load,
        "plain",
        settings,
        NIGHT_END,
        NIGHT,
    )


def by_list(rows):
    found = {}
    for row in sorted(rows, key=lambda row: row["rank"]):
        found.setdefault((row.user_id, row.daypart, row.region), []).append(row.item_id)
    return found


def test_a_night_of_lists(spark, defaults):
    users = [("u", [{"item_id": "a"}, {"item_id": "b"}, {"item_id": "b"}]), ("new", [{"item_id": "unheard of"}])]
    forecasts = [forecast("u", "weekday", "west", 0.75), forecast("u", "weekend", "east", 0.25)]
    hidden = spark.createDataFrame([("u", "c")], "user_id string, item_id string")
    frame_made = run(spark, with_recommend(defaults, k=2), users, forecasts, hidden=hidden)
    TABLES["recommendations"].check(frame_made)
    rows = frame_made.collect()
    found = by_list(rows)
    assert found["u", "weekday", "west"] == ["b", "a"]
    assert ("u", "weekend", "east") in found
    assert {key[1:] for key in found if key[0] == "new"} == {("weekday", ""), ("weekend", "")}
    assert sum(key[0] == "*" for key in found) == 6
    assert all(found.values())
    assert not any("c" in items for key, items in found.items() if key[0] == "u")
    assert {(row.model, row.night) for row in rows} == {("plain", NIGHT)}
    assert len({(r.user_id, r.daypart, r.region, r["rank"]) for r in rows}) == len(rows)
    first = next(row for row in rows if (row.user_id, row.daypart, row["rank"]) == ("u", "weekday", 1))
    assert sum(first.parts.values()) == pytest.approx(first.score, abs=1e-9)
    assert first.reason == "You come back to it often, and you like it on weekdays."


def test_states_of_another_model_are_ignored(spark, defaults):
    def state(model, value):
        return {"user_id": "u", "model": model, "as_of": NIGHT_END, "state": [value], "long": [0.0], "short": [0.0]}

    states = frame(spark, "user_states", [state("plain", 3.0), state("older", 7.0)])
    rows = run(spark, with_recommend(defaults), [("u", [])], states=states).where("user_id = 'u'").collect()
    assert max(row.parts.get("this_time", 0.0) for row in rows) == 1.5  # 3 * 0.25 * 2
    assert len({(row.daypart, row["rank"]) for row in rows}) == len(rows)


def test_the_lists_do_not_depend_on_partitions_or_other_users(spark, defaults):
    users = [(f"u{n}", [{"item_id": "abcde"[(n + j) % 5]} for j in range(n % 4)]) for n in range(9)]
    settings = with_recommend(defaults)
    whole = by_list(run(spark, settings, users, partitions=1).collect())
    apart = by_list(run(spark, settings, users[::-1], partitions=4).collect())
    alone = by_list(run(spark, settings, users[4:5]).collect())
    assert whole == apart
    assert {key: whole[key] for key in alone} == alone


def test_a_night_without_users_still_has_the_lists_of_anybody(spark, defaults):
    found = by_list(run(spark, with_recommend(defaults)).collect())
    assert {key[0] for key in found} == {"*"}
    assert len(found) == 6


def test_the_model_is_loaded_once_per_python_worker(spark, defaults, tmp_path):
    users = [(f"u{n}", [{"item_id": "a"}]) for n in range(8)]
    load = functools.partial(load_plain, tmp_path)
    assert run(spark, with_recommend(defaults), users, load=load, partitions=8).count() > 0
    loads = [path.name.split("-")[0] for path in tmp_path.iterdir()]
    assert 1 <= len(loads) <= 2
    assert len(set(loads)) == len(loads)


def test_another_model_than_asked_for_is_refused(spark, defaults):
    with pytest.raises(Exception, match="the loaded model is other, not plain"):
        run(spark, with_recommend(defaults), load=functools.partial(load_plain, None, "other")).collect()
