"""The stages of a night, in order: the only list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Stage:
    """One stage: the tables that it reads (beside the source's input) and those that it writes."""

    name: str
    takes: tuple[str, ...]
    gives: tuple[str, ...]


FLOW: tuple[Stage, ...] = (
    Stage("ingest", ("events", "items"), ("events", "items", "rejects")),
    Stage("interest", ("events", "items", "term_sums", "terms"), ("term_sums", "terms", "interests")),
    Stage(
        "sessions", ("events", "sessions", "histories", "counts"), ("sessions", "histories", "counts", "transitions")
    ),
    Stage("embed", ("items", "item_embeddings"), ("item_embeddings",)),
    Stage("train", ("sessions", "items", "item_embeddings", "events", "models"), ("models", "ranks")),
    Stage("infer", ("histories", "counts", "models"), ("user_states", "forecasts")),
    Stage("recommend", ("histories", "counts", "user_states", "forecasts", "models"), ("recommendations",)),
    Stage(
        "evaluate",
        (
            "ranks",
            "events",
            "rejects",
            "interests",
            "items",
            "models",
            "item_embeddings",
            "recommendations",
            "forecasts",
            "evaluations",
        ),
        ("evaluations", "feedback"),
    ),
)
STAGES: tuple[str, ...] = tuple(stage.name for stage in FLOW)
BY_NAME: dict[str, Stage] = {stage.name: stage for stage in FLOW}
