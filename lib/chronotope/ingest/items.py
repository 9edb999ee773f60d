"""Items: how each is described, and which rows a night adds."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from chronotope.config import IngestSettings
from chronotope.ingest.records import ITEM_FIELDS
from chronotope.ingest.source import Source
from chronotope.ingest.span import Span
from chronotope.places import with_cells
from chronotope.tables.events import ITEMS

# ISO 15924 codes and the names that regular expressions know them by.
SCRIPTS = {
    "Latn": "IsLatin", "Hani": "IsHan", "Cyrl": "IsCyrillic", "Arab": "IsArabic", "Hebr": "IsHebrew",
    "Grek": "IsGreek", "Hang": "IsHangul", "Hira": "IsHiragana", "Kana": "IsKatakana", "Thai": "IsThai",
    "Deva": "IsDevanagari", "Beng": "IsBengali", "Taml": "IsTamil", "Telu": "IsTelugu", "Geor": "IsGeorgian",
    "Armn": "IsArmenian", "Ethi": "IsEthiopic",
}  # fmt: skip


def items_of(
    catalogue: DataFrame | None,
    judged: DataFrame,
    source: Source,
    settings: IngestSettings,
    night: Span,
    previous: DataFrame | None = None,
) -> DataFrame:
    """The `items` rows that are new or changed against the `previous` ones (current rows, None on the first night).

    An item's row comes from the `catalogue`, or from the night's accepted events where they describe items. An item
    with events that nothing describes gets a row of nulls, and keeps the description it had. `first_seen` is the
    earliest accepted event, so far; coordinates out of range are left out.

    Nights one by one give the rows of one pass over all of their records, where records have an arrival day: a night's
    description takes the place of one that says no more (`says`). A catalogue that is delivered whole is all that there
    is to say: what it says of an item takes the place of what it said before. Whether an item is `available` is, apart
    from that, what was last said of it, by whatever row.
    """
    events = judged.where((F.col("outcome") == "accepted") & F.col("item_id").isNotNull())
    if source.items is None or catalogue is not None:
        rows = catalogue
    else:
        # The newest event describes the item, unless the source orders its rows otherwise.
        order = F.col("item.order") if source.items.order else F.col("occurred_at")
        rows = events.select("item_id", "arrival_day", F.col("item").withField("order", order).alias("item"))
    seen = events.groupBy("item_id").agg(F.min("occurred_at").alias("first_seen"))
    items = seen if rows is None else described(rows, source, catalogue is not None).join(seen, "item_id", "full_outer")
    items = completed(items, source, settings, night)
    whole = catalogue is not None and source.items is not None and not source.inputs[source.items.origin].by_day
    return ITEMS.conform(items if previous is None else changed(items, previous, whole))


def described(rows: DataFrame, source: Source, raw_ids: bool) -> DataFrame:
    """One row per item with the fields of its chosen description; the order is given in `chronotope.ingest.source`."""
    item_id = F.concat(F.lit(f"{source.name}:"), F.col("item_id")) if raw_ids else F.col("item_id")
    fields = [clean(F.col(f"item.{name}")).alias(name) for name in ITEM_FIELDS]
    known = rows.select(item_id.alias("item_id"), "arrival_day", F.col("item.order").alias("order"), *fields)
    lat, lon = F.col("lat").try_cast("double"), F.col("lon").try_cast("double")
    valid = (F.abs(lat) <= 90) & (F.abs(lon) <= 180)
    known = known.where(F.col("item_id").isNotNull()).withColumns(
        {"text": F.coalesce("text", "title"), "lat": F.when(valid, F.col("lat")), "lon": F.when(valid, F.col("lon"))}
    )
    others = [name for name in ITEM_FIELDS if name not in ("text", "available")]
    best = F.max(F.struct(says().alias("says"), "arrival_day", "order", "text", *others))
    # A row that says no more than that it is gone describes nothing, but is believed.
    available = F.col("available").try_cast("boolean")
    told = F.max(F.when(available.isNotNull(), F.struct("arrival_day", "order", available.alias("available"))))
    chosen = known.groupBy("item_id").agg(best.alias("best"), told.alias("told"))
    return chosen.select("item_id", "best.*", "told.available")


def says(prefix: str = "") -> Column:
    """How much a row says of its item: 3 with text and place, 2 with a text, 1 with anything else, 0 with nothing."""
    other = F.coalesce(*[F.col(f"{prefix}{name}").cast("string") for name in ("category", "language", "region", "lat")])
    has_text = F.col(f"{prefix}text").isNotNull()
    has_place = F.col(f"{prefix}lat").isNotNull() & F.col(f"{prefix}lon").isNotNull()
    return F.when(has_text & has_place, 3).when(has_text, 2).when(other.isNotNull(), 1).otherwise(0)


def completed(items: DataFrame, source: Source, settings: IngestSettings, night: Span) -> DataFrame:
    """Add what follows from a description: language, digest, cell, region."""
    absent = [name for name in ITEM_FIELDS if name not in items.columns]
    items = items.withColumns({name: F.lit(None).cast("string") for name in absent})
    items = items.select(
        *("item_id", "title", "text", "category", "region", "first_seen"),
        F.coalesce("language", script_of(F.col("text"))).alias("language"),
        *[F.col(name).try_cast("double").alias(name) for name in ("lat", "lon")],
        F.col("available").try_cast("boolean").alias("available"),
        F.lit(source.name).alias("source"),
        F.md5("text").alias("text_digest"),
        F.lit(night.date).alias("night"),
    )
    items = with_cells(items, settings.cell_resolution, settings.region_resolution)
    return items.withColumn("region", F.coalesce("region", "region_cell")).drop("region_cell")


def changed(items: DataFrame, previous: DataFrame, whole: bool) -> DataFrame:
    """The rows that differ from the previous ones; an item of which those say more (`says`) keeps its description.

    A catalogue that is delivered `whole` need not say as much as before, but has to say something.
    """
    fields = [name for name in ITEMS.names if name not in ("item_id", "night")]
    old = previous.select("item_id", *[F.col(name).alias(f"old_{name}") for name in fields])
    joined = items.join(old, on="item_id", how="left")
    kept = says() < (F.least(says("old_"), F.lit(1)) if whole else says("old_"))
    merged = {name: F.when(kept, F.col(f"old_{name}")).otherwise(F.col(name)) for name in fields}
    # A whole catalogue that describes an item anew, and says nothing of this, takes back what it said.
    available_before = F.when(kept, F.col("old_available")) if whole else F.col("old_available")
    merged |= {
        "first_seen": F.least("first_seen", "old_first_seen"),
        "available": F.coalesce("available", available_before),
    }
    joined = joined.withColumns(merged)
    same = F.lit(True)
    for name in fields:
        same = same & F.col(name).eqNullSafe(F.col(f"old_{name}"))
    return joined.where(F.col("old_source").isNull() | ~same).select(*ITEMS.names)


def script_of(text: Column) -> Column:
    """The ISO 15924 code of the script that most letters belong to; ties by the order of `SCRIPTS`; null for none.

    >>> words = spark.createDataFrame([("Café Größe",), ("咖啡 & tea 茶馆",), ("42 ☕",)], "text string")
    >>> [row.script for row in words.select(script_of(F.col("text")).alias("script")).collect()]
    ['Latn', 'Hani', None]
    """
    # One struct per script, so that the engine computes each count once.
    counts = [
        F.struct(
            F.length(F.regexp_replace(text, rf"[^\p{{{name}}}]", "")).alias("n"), F.lit(-i), F.lit(code).alias("code")
        )
        for i, (code, name) in enumerate(SCRIPTS.items())
    ]
    most = F.array_max(F.array(*counts))
    return F.when(most["n"] > 0, most["code"])


def clean(text: Column) -> Column:
    """Text without null characters, which end a string for many readers; null where nothing is left."""
    kept = F.translate(text, "\0", "")
    return F.when(F.trim(kept) != "", kept)
