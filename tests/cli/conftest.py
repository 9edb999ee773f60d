from __future__ import annotations

import json

import pytest

from chronotope.cli.people import main
from chronotope.config import load_settings
from tests.store.published import publish

FIRST, SECOND = "2012-10-30", "2012-10-31"
MODELS = [{"model_id": "space_time-1", "chosen": True, "decision": "better than counts-1 by 0.02"}]


def lists(user, daypart, region, *items):
    return [
        {"user_id": user, "daypart": daypart, "region": region, "rank": rank, "item_id": item, "score": 1.0 / rank,
         "parts": {"memory": 0.75, "popular": 0.25}, "reason": f"because of {item}", "model": "space_time-1"}
        for rank, item in enumerate(items, start=1)
    ]  # fmt: skip


def metrics(model, protocol, of_slice="all", **values):
    names = {"acc1": "accuracy@1", "acc10": "accuracy@10", "ndcg": "ndcg@10", "mrr": "mrr", "mae": "mae"}
    return [
        {"model": model, "protocol": protocol, "slice": of_slice, "metric": names[name], "value": value,
         "low": None if value is None else value - 0.01, "high": None if value is None else value + 0.01, "n": 1200}
        for name, value in values.items()
    ]  # fmt: skip


TABLES = {
    "events": [{"event_id": f"e{i}", "user_id": user} for i, user in enumerate(["a:u1"] * 3 + ["b:u2"] * 2 + ["a:u3"])],
    "items": [{"item_id": "a:i1", "title": "茶馆 Tea House"}, {"item_id": "a:i2", "title": "[bold]Jazz\x1b[31m\nBar"},
              {"item_id": "b:i3", "title": None}],
    "interests": [
        {"user_id": "a:u1", "horizon": "long", "terms": [("tea", 0.8), ("茶", 0.6)]},
        {"user_id": "a:u1", "horizon": "short", "terms": [("jazz", 1.0)]},
        {"user_id": "a:same", "horizon": "long", "terms": [("tea", 1.0)]},
        {"user_id": "b:same", "horizon": "long", "terms": [("tea", 1.0)]},
        {"user_id": "a:O'Hara:2", "horizon": "long", "terms": [("irish", 1.0)]},
    ],
    "forecasts": [
        {"user_id": "a:u1", "daypart": "weekend_day", "region": "NYC", "topic": "bar", "context_probability": 0.7},
        {"user_id": "a:u1", "daypart": "weekday_night", "region": "NYC", "topic": "bar", "context_probability": 0.3},
    ],
    "recommendations": [
        *lists("a:u1", "weekday_night", "NYC", "a:i2"),
        *lists("a:u1", "weekend_day", "NYC", "a:i1", "a:i2"),
        *lists("b:u2", "weekend_day", "", "b:i3"),
        *lists("*", "weekend_day", "NYC", "a:i2", "a:i1"),
        *lists("*", "weekend_day", "", "a:i2"),
    ],
    "models": MODELS,
    "evaluations": [
        *metrics("popularity", "tail_next", acc1=0.05, acc10=0.2, ndcg=0.11, mrr=0.09),
        *metrics("space_time-1", "tail_next", acc1=0.2, acc10=0.5, ndcg=0.33, mrr=0.3),
        *metrics("space_time-1", "forecast", mae=0.04),
        *metrics("space_time-1", "tail_next", "user_kind=new", mrr=None),
        {"model": "night", "protocol": "watch", "slice": "all", "metric": "list_churn", "value": 0.95, "high": 0.9,
         "n": 40},
        {"model": "night", "protocol": "watch", "slice": "source=a", "metric": "newest_event_age_h", "value": 2.0,
         "high": 24.0, "n": 6},
        {"model": "night", "protocol": "watch", "slice": "action=view", "metric": "share", "value": 1.0, "n": 40},
    ],
}  # fmt: skip


@pytest.fixture(scope="session", params=["delta", "parquet"])
def tables_dir(request, _spark_session, tmp_path_factory, settings_file):
    """Two published nights, in each format."""
    settings = load_settings(settings_file, overrides=[f"night.format={request.param}"])
    folder = tmp_path_factory.mktemp(request.param) / "tables"
    publish(_spark_session, folder, FIRST, settings, {
        "items": [{"item_id": "a:i1", "title": "old title"}],
        "recommendations": lists("a:gone", "weekend_day", "NYC", "a:i1"),
    })  # fmt: skip
    publish(_spark_session, folder, SECOND, settings, TABLES)
    return folder


@pytest.fixture
def ask(tables_dir, capsys):
    """Run a command; its exit code, output and complaints."""

    def run(*arguments):
        code = main(["--tables", str(tables_dir), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def ask_json(ask):
    """Run a command that succeeds; its JSON."""

    def run(*arguments):
        code, out, err = ask(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    return run
