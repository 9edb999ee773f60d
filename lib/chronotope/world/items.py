"""The catalogue of the demo world: places and online goods with titles and descriptions in two languages."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from chronotope.world.chance import entry, uniform, whole
from chronotope.world.cities import CITIES, NAMES, ONLINE, SHANGHAI, around
from chronotope.world.options import ONLINE_SHARE, SHELVES, WorldOptions
from chronotope.world.topics import words_of
from chronotope.world.vocabulary import TOPICS

CHINESE = 0.1, 0.8  # share of items described in Chinese: elsewhere, and in Shanghai
DESCRIPTION_WORDS = 12
LONG_TEXT_COPIES = 400  # the description of item 0 is repeated that often: about 60,000 letters
CATALOGUE = ("item", "title", "description", "category", "lat", "lon", "city", "language")


def make_items(spark: SparkSession, options: WorldOptions) -> DataFrame:
    """One row per item: item_no, shelf (city_no, topic_no), rank and shelf_size, price, and the CATALOGUE columns.

    A shelf is the items of one topic in one city, or online. Its items stand around the centre in order of their
    rank, so that the nearest to a home is found by arithmetic and not by a join. Item 0 has one very long text, 2 in
    100 items have no description, 1 in 100 has neither title nor description.
    """
    shelf = Window.partitionBy("city_no", "topic_no")
    numbered = (
        spark.range(options.items)
        .withColumnRenamed("id", "item_no")
        .withColumn("shelf", (F.col("item_no") % SHELVES).cast("int"))
        .withColumn("city_no", entry([city for city, _ in SHELF_LIST], F.col("shelf")))
        .withColumn("topic_no", entry([topic for _, topic in SHELF_LIST], F.col("shelf")))
        .withColumn("rank", F.row_number().over(shelf.orderBy("item_no")) - 1)
        .withColumn("shelf_size", F.count(F.lit(1)).over(shelf).cast("int"))
    )
    return described(placed(numbered, options.seed), options.seed)


def shelves() -> list[tuple[int, int]]:
    """The (city, topic) of each shelf; the online topics stand ONLINE_SHARE times, so that they have more items.

    >>> len(shelves()) == SHELVES
    True
    """
    cities = {True: [ONLINE] * ONLINE_SHARE, False: list(range(len(CITIES)))}
    return [(city, number) for number, topic in enumerate(TOPICS) for city in cities[topic.online]]


SHELF_LIST = shelves()


def placed(items: DataFrame, seed: int) -> DataFrame:
    """Add city, lat and lon (null online) and the price."""
    city = F.when(F.col("city_no") < ONLINE, F.col("city_no"))
    turn = (F.col("rank") + 0.5) / F.col("shelf_size")
    radius_km = 0.5 + 5 * uniform(seed, "item radius", "item_no")
    lat, lon = around(entry([c.lat for c in CITIES], city), entry([c.lon for c in CITIES], city), turn, radius_km)
    usual = entry([topic.price for topic in TOPICS], F.col("topic_no"))
    return (
        items.withColumn("city", entry(NAMES, city))
        .withColumn("lat", lat)
        .withColumn("lon", lon)
        .withColumn("price", F.round(usual * (0.5 + uniform(seed, "price", "item_no")), 2))
    )


def described(items: DataFrame, seed: int) -> DataFrame:
    """Add item, category, language, title and description (see `make_items` for those without)."""
    number, topic = F.col("item_no"), F.col("topic_no")
    in_chinese = F.col("language") == "zh"
    chinese = F.when(F.col("city_no") == SHANGHAI, CHINESE[1]).otherwise(CHINESE[0])
    description = (
        F.when(number == 0, F.repeat("description", LONG_TEXT_COPIES))
        .when((number % 50 == 8) | (number % 100 == 17), None)
        .otherwise(F.col("description"))
    )
    return (
        items.withColumn("item", F.format_string("i%07d", number))
        .withColumn("category", entry([t.name for t in TOPICS], topic))
        .withColumn("language", F.when(uniform(seed, "item language", number) < chinese, "zh").otherwise("en"))
        .withColumn("words", words_of(topic, F.col("language")))
        .withColumn("title", F.when(number % 100 != 17, F.when(in_chinese, title_zh(seed)).otherwise(title(seed))))
        .withColumn("description", F.when(in_chinese, sentence_zh(seed)).otherwise(sentence(seed)))
        .withColumn("description", description)
        .drop("words")
    )


def word(seed: int, name: str, place: int) -> Column:
    """The word at a place of an item's text `name`, out of the item's `words`."""
    return F.get("words", whole(uniform(seed, name, "item_no", F.lit(place)), F.size("words")))


def title(seed: int) -> Column:
    """Two words of the topic and what it is: `Latte Roast Coffee`."""
    kind = entry([topic.kind for topic in TOPICS], F.col("topic_no"))
    return F.concat_ws(" ", F.initcap(word(seed, "title", 0)), F.initcap(word(seed, "title", 1)), kind)


def title_zh(seed: int) -> Column:
    """As `title`, in Chinese: `拿铁手冲咖啡馆`."""
    kind = entry([topic.kind_zh for topic in TOPICS], F.col("topic_no"))
    return F.concat(word(seed, "title", 0), word(seed, "title", 1), kind)


def sentence(seed: int) -> Column:
    """A description: what it is, where, and DESCRIPTION_WORDS words of the topic."""
    kind = entry([topic.kind for topic in TOPICS], F.col("topic_no"))
    where = entry([*[f" in {city.name}: " for city in CITIES], " shop, delivered to your door: "], F.col("city_no"))
    words = [word(seed, "description", place) for place in range(DESCRIPTION_WORDS)]
    return F.concat(kind, where, F.concat_ws(", ", *words), F.lit(". "))


def sentence_zh(seed: int) -> Column:
    """As `sentence`, in Chinese."""
    kind = entry([topic.kind_zh for topic in TOPICS], F.col("topic_no"))
    where = entry([*[city.name_zh for city in CITIES], "网上商店"], F.col("city_no"))
    words = [word(seed, "description", place) for place in range(DESCRIPTION_WORDS)]
    return F.concat(where, kind, F.lit("："), F.concat_ws("、", *words), F.lit("。"))
