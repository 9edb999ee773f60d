"""`chronotope evaluation`: the night's models beside the yardsticks that they must beat."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chronotope.cli.render import Grid, Reply
from chronotope.cli.show import quoted
from chronotope.errors import UsageError
from chronotope.evaluate.alarms import PROTOCOL
from chronotope.store.snapshot import Snapshot
from chronotope.store.sql import select

METRICS = ("accuracy@1", "accuracy@10", "ndcg@10", "mrr")
ORDER_BY = "mrr"


def evaluation(snapshot: Snapshot, of_slice: str) -> Reply:
    """Metrics with intervals, a grid per protocol, best mean reciprocal rank first; the published model is marked.

    Raises:
        UsageError: when the night measured no such slice.
    """
    rows = measured(snapshot, of_slice)
    protocols = {row["protocol"]: [r for r in rows if r["protocol"] == row["protocol"]] for row in rows}
    found = {protocol: standings(of, snapshot.run["model"]) for protocol, of in protocols.items()}
    titles = {protocol: title(protocol, of[0]["night"], snapshot) for protocol, of in protocols.items()}
    blocks: list[str | Grid] = [standings_grid(titles[protocol], entries) for protocol, entries in found.items()]
    blocks.append(f"* made the tables of night {snapshot.night}: {snapshot.run['decision'] or 'no reason was kept'}")
    data = {
        "night": snapshot.night,
        "slice": of_slice,
        "model": snapshot.run["model"],
        "decision": snapshot.run["decision"],
        "protocols": found,
    }
    return Reply(data, blocks)


def title(protocol: str, night: dt.date, snapshot: Snapshot) -> str:
    """What stands over a protocol's grid: the night that measured it, where that was an earlier one."""
    return protocol if str(night) == str(snapshot.night) else f"{protocol}, night {night}"


def measured(snapshot: Snapshot, of_slice: str) -> list[dict[str, Any]]:
    """The slice's rows of `evaluations`: of each protocol those of the latest night that measured it.

    Nights between two refreshes measure no models on a held-out tail. What a night is watched by is left out: see
    `chronotope alarms`.

    Raises:
        UsageError: when there are none, naming the slices that there are.
    """
    latest = "rank() OVER (PARTITION BY protocol ORDER BY night DESC) AS _place"
    here = f"FROM (SELECT *, {latest} FROM evaluations WHERE protocol != '{PROTOCOL}') WHERE _place = 1"
    rows = select(snapshot, f"SELECT * {here} AND slice = {quoted(of_slice)} ORDER BY protocol, model, metric").rows
    if not rows:
        known = [row["slice"] for row in select(snapshot, f"SELECT DISTINCT slice {here} ORDER BY slice").rows]
        raise UsageError(
            f"night {snapshot.night} measured no slice {of_slice!r}; there are: {', '.join(known) or 'none'}"
        )
    return rows


def standings(rows: list[dict[str, Any]], published: str | None) -> list[dict[str, Any]]:
    """One entry per model: its metrics, how many they are means over, and whether it made the night's tables."""
    entries = []
    for model in dict.fromkeys(row["model"] for row in rows):
        of = {row["metric"]: row for row in rows if row["model"] == model}
        metrics = {name: {key: row[key] for key in ("value", "low", "high", "n")} for name, row in of.items()}
        entries.append({"model": model, "published": model == published, "metrics": metrics})
    return sorted(entries, key=lambda entry: (-(value_of(entry, ORDER_BY) or 0.0), entry["model"]))


def value_of(entry: dict[str, Any], metric: str) -> float | None:
    """A metric's value; None where it was not measured."""
    value: float | None = entry["metrics"].get(metric, {}).get("value")
    return value


def standings_grid(title: str, entries: list[dict[str, Any]]) -> Grid:
    """A protocol's standings for people: the usual metrics where they were measured, else all."""
    there = list(dict.fromkeys(name for entry in entries for name in entry["metrics"]))
    shown = [name for name in METRICS if name in there] or there
    rows = [
        [("* " if entry["published"] else "  ") + entry["model"]]
        + [with_interval(entry["metrics"].get(name)) for name in shown]
        + [entry["metrics"].get(shown[0], {}).get("n")]
        for entry in entries
    ]
    return Grid(title, ["model", *shown, "n"], rows, frozenset([*shown, "n"]))


def with_interval(metric: dict[str, Any] | None) -> str:
    """A value with its interval.

    >>> with_interval({"value": 0.5, "low": 0.4, "high": 0.6})
    '0.500 [0.400, 0.600]'
    """
    if metric is None or metric["value"] is None:
        return ""
    interval = f" [{metric['low']:.3f}, {metric['high']:.3f}]" if metric["low"] is not None else ""
    return f"{metric['value']:.3f}{interval}"
