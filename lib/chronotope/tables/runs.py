"""Book-keeping: models, what they were measured at, and what each night did."""

from __future__ import annotations

from chronotope.tables.declaration import Column, Table
from chronotope.tables.night import NIGHT

MODELS = Table(
    name="models",
    purpose="Every model that was trained, what it was measured at, and whether the gate let it publish.",
    grain="one row per model and night that considered it",
    key=("model_id", "night"),
    current="all",
    columns=(
        Column("model_id", "string", "kind, night and digest of settings and data"),
        Column("kind", "string", "space_time or counts"),
        Column("settings", "string", "the train section, as JSON"),
        Column("metrics", "map<string,double>", "on the held-out tail"),
        Column("path", "string", "folder of the model's files, below the tables' folder"),
        Column("chosen", "boolean", "whether the gate let it make the night's tables"),
        Column("decision", "string", "the gate's reason, in words"),
        NIGHT,
    ),
)

RANKS = Table(
    name="ranks",
    purpose="The evaluation, query by query: where each model put the item that the user met, for paired tests "
    "and slices.",
    grain="one row per query, model and protocol",
    key=("query_id", "model", "protocol", "night"),
    current="latest_night",
    columns=(
        Column("query_id", "string", "event_id of the event that was to be predicted"),
        Column("user_id", "string", "as in events"),
        Column("item_id", "string", "the truth"),
        Column("model", "string", "model_id, or the name of a yardstick"),
        Column("protocol", "string", "tail_next: previous item known; tail_morning: history to the night before"),
        Column("rank", "int", "place of the truth among the candidates, 1 is best; ties count against the model"),
        Column("n_candidates", "int", "items ranked"),
        Column("user_kind", "string", "new, light or heavy: events in the history, see evaluate settings"),
        Column("distance_kind", "string", "near or far from the previous place; unknown without places"),
        Column("language", "string", "of the truth, as in items; unknown where there is none"),
        Column("top", "array<string>", "the first item_ids that the model would show, best first"),
        NIGHT,
    ),
)

EVALUATIONS = Table(
    name="evaluations",
    purpose="Metrics with intervals, of models and yardsticks side by side, for all queries and by slice.",
    grain="one row per night, model, protocol, slice and metric",
    key=("model", "protocol", "slice", "metric", "night"),
    current="all",
    columns=(
        Column(
            "model",
            "string",
            "model_id, or the name of a yardstick; under watch `night`, the encoder, or a digest of interest settings",
        ),
        Column("protocol", "string", "tail_next, tail_morning, published, forecast or watch"),
        Column("slice", "string", "all, or column=value"),
        Column("metric", "string", "see chronotope.evaluate.metrics, and chronotope.evaluate.watch for protocol watch"),
        Column("value", "double", "the metric; null where nothing could be measured", True),
        Column("low", "double", "lower end of the interval", True),
        Column(
            "high", "double", "upper end of the interval; under watch the value above which there is an alarm", True
        ),
        Column("n", "bigint", "queries, users or items that the value is a mean over"),
        NIGHT,
    ),
)

RUNS = Table(
    name="runs",
    purpose="What each night did and which versions of the tables belong together; its row with stage `night`, "
    "written last, publishes them.",
    grain="one row per night and stage, and one (stage `night`) that publishes",
    key=("night", "stage"),
    current="all",
    columns=(
        Column("stage", "string", "one of the eight, or night"),
        Column("status", "string", "published"),
        Column("seconds", "double", "wall-clock time of the stage"),
        Column("rows", "map<string,bigint>", "rows written, by table"),
        Column("bytes_written", "bigint", "bytes of the tables' files that the stage staged, compressed", True),
        Column(
            "peak_memory_bytes",
            "bigint",
            "most bytes that the driver's processes held, see chronotope.store.cost",
            True,
        ),
        Column("versions", "map<string,bigint>", "version of every table that readers of this night should read"),
        Column("model", "string", "model_id that made the night's tables", True),
        Column("decision", "string", "the gate's reason, in words", True),
        Column("sources", "array<string>", "sources that the night read; null in nights of older versions", True),
        Column("config_digest", "string", "digest of all settings that rows may follow from"),
        Column("code_version", "string", "version of the code, with its commit where known"),
        Column("finished_at", "timestamp", "UTC"),
        NIGHT,
    ),
)
