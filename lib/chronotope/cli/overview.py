"""`chronotope tables` and `chronotope runs`: what there is, and how it came to be."""

from __future__ import annotations

from typing import Any

from chronotope.cli.render import Grid, Reply, size
from chronotope.flow import STAGES
from chronotope.store.snapshot import Snapshot, all_runs
from chronotope.tables import TABLES, Table

MAIN = ("events", "rejects", "interests", "sessions", "recommendations")  # the tables whose rows `runs` shows


def tables(snapshot: Snapshot) -> Reply:
    """Every table as one night published it: rows of all nights and of the last, bytes, version, nights, grain."""
    runs = [run for run in all_runs(snapshot.tables_dir) if run["night"] <= snapshot.night]
    found = [table_entry(snapshot, table, runs) for table in TABLES.values()]
    rows = [
        [f["table"], f["rows"], f["rows_last_night"], size(f["bytes"]), f["version"], span(f["nights"]), f["grain"]]
        for f in found
    ]
    columns = ["table", "rows", "last night", "size", "version", "nights", "grain"]
    title = f"{snapshot.tables_dir} · night {snapshot.night} · {snapshot.format_name}"
    data = {"night": snapshot.night, "format": snapshot.format_name, "folder": snapshot.tables_dir, "tables": found}
    return Reply(data, [Grid(title, columns, rows, frozenset(columns[1:5]))])


def table_entry(snapshot: Snapshot, table: Table, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """One table in figures; rows as the nights wrote them, where they have not been removed, bytes as on disk."""
    nights = snapshot.paths(table.name)
    if table.name == "runs":
        counts = {night: sum(run["night"] == night for run in runs) for night in nights}
    else:
        written = {run["night"]: dict(run["rows"]).get(table.name, 0) for run in runs if run["stage"] == "night"}
        counts = {night: rows for night, rows in written.items() if night in nights}
    return {
        "table": table.name,
        "rows": sum(counts.values()),
        "rows_last_night": counts.get(snapshot.night, 0),
        "bytes": sum(path.stat().st_size for paths in nights.values() for path in paths if path.is_file()),
        "version": snapshot.version(table.name),
        "nights": list(nights),
        "grain": table.grain,
    }


def span(nights: list[Any]) -> str:
    """The first and the last of some nights.

    >>> span(["2012-10-30", "2012-10-31"])
    '2012-10-30 to 2012-10-31'
    """
    return " to ".join(dict.fromkeys([str(nights[0]), str(nights[-1])])) if nights else ""


def runs(snapshot: Snapshot) -> Reply:
    """Every published night up to this one: model, the gate's decision, seconds, rows of the main tables."""
    entries = [run for run in all_runs(snapshot.tables_dir) if run["night"] <= snapshot.night]
    nights = [run_entry(run, entries) for run in entries if run["stage"] == "night"]
    rows = [
        [
            n["night"],
            n["status"],
            round(n["seconds"]),
            *[n["rows"].get(name) for name in MAIN],
            n["model"],
            n["decision"],
        ]
        for n in nights
    ]
    columns = ["night", "status", "seconds", *MAIN, "model", "decision"]
    return Reply({"nights": nights}, [Grid("", columns, rows, frozenset(columns[2:-2]))])


def run_entry(run: dict[str, Any], entries: list[dict[str, Any]]) -> dict[str, Any]:
    """One night, with the seconds of each stage."""
    stages = {e["stage"]: e["seconds"] for e in entries if e["night"] == run["night"] and e["stage"] != "night"}
    kept = ("night", "status", "model", "decision", "seconds", "config_digest", "code_version", "finished_at")
    return {
        **{name: run[name] for name in kept},
        "stages": stages,
        "rows": dict(run["rows"]),
        "versions": dict(run["versions"]),
    }


COST = ("seconds", "bytes_written", "peak_memory_bytes")


def stages(snapshot: Snapshot) -> Reply:
    """Every stage of every published night up to this one, and what it cost; null where it was not measured."""
    order = [*STAGES, "night"]
    entries = [run for run in all_runs(snapshot.tables_dir) if run["night"] <= snapshot.night]
    entries.sort(key=lambda run: (run["night"], order.index(run["stage"])))
    kept = ("night", "stage", *COST, "config_digest", "code_version")
    found = [{**{name: run[name] for name in kept}, "rows": dict(run["rows"])} for run in entries]
    rows = [
        [f["night"], f["stage"], round(f["seconds"], 1), *[words(f[name]) for name in COST[1:]], f["rows"]]
        for f in found
    ]
    columns = ["night", "stage", "seconds", "written", "peak memory", "rows"]
    return Reply({"stages": found}, [Grid("", columns, rows, frozenset(columns[2:-1]))])


def words(n_bytes: int | None) -> str:
    """A number of bytes in words; nothing for one that was not measured."""
    return "" if n_bytes is None else size(n_bytes)
