"""The table `recommendations`: ranked lists for every user, and for anybody, with parts and reasons."""

from __future__ import annotations

import datetime as dt
import functools
import pickle
from collections.abc import Callable, Iterator

import pyarrow as pa
from pyspark import cloudpickle
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from chronotope.config import Settings
from chronotope.errors import ModelError
from chronotope.recommend.contexts import users_asked
from chronotope.recommend.lists import ListMaker
from chronotope.tables import TABLES
from chronotope.train.scoring import Scorer


def recommendations(
    histories: DataFrame,
    forecasts: DataFrame,
    user_states: DataFrame | None,
    hidden_items: DataFrame | None,
    load_scorer: Callable[[], Scorer],
    model_id: str,
    settings: Settings,
    night_end: dt.datetime,
    night: dt.date,
    for_anybody: bool = True,
) -> DataFrame:
    """The rows of the table `recommendations`.

    Every user of `histories` gets a list for each of the `max_contexts` likeliest contexts, also when the catalogue
    knows none of the user's items; the user `*` gets the most popular items for every daypart and region and for
    the region "". A list has at most `k` items, fewer where fewer may stand in it (see `candidates.Candidates`),
    and at least one.

    Args:
        histories: rows of `chronotope.train.histories.histories`.
        forecasts: rows of the table `forecasts`, or any user_id, daypart, region, context_probability.
        user_states: rows of the table `user_states`; those of other models are ignored, and who has none of this
            model is encoded from the history. None: encode everybody.
        hidden_items: user_id and item_id not to be shown again, see `contexts.seen_items`; None for none.
        load_scorer: loads the model, once per Python worker; it is pickled, and must not hold the model itself.
        model_id: what the loaded model must be.
        settings: all of the settings.
        night_end: each list is for when its daypart comes next after this moment, which has a time zone.
        night: the partition.
        for_anybody: whether the lists of `*` are made too: they change with the model only.

    Raises:
        ModelError: in the workers, when the loaded model is another, or a score is no number.
    """
    of_model = None if user_states is None else user_states.where(F.col("model") == model_id)
    asked = users_asked(histories, forecasts, of_model, hidden_items, settings.night, settings.recommend.max_contexts)
    to_bytes: Callable[[object], bytes] = cloudpickle.dumps  # plain pickle knows no lambdas and no local functions
    make = to_bytes(functools.partial(list_maker, load_scorer, model_id, settings, night_end))
    declared = TABLES["recommendations"]
    schema = StructType([field for field in declared.schema() if field.name not in ("model", "night")])
    users = asked.mapInArrow(functools.partial(users_rows, make), schema)
    if for_anybody:
        once = asked.sparkSession.range(1, numPartitions=1)
        users = users.unionByName(once.mapInArrow(functools.partial(anybody_rows, make), schema))
    lists = users.withColumns({"model": F.lit(model_id), "night": F.lit(night)})
    return declared.conform(lists)


def list_maker(
    load_scorer: Callable[[], Scorer], model_id: str, settings: Settings, night_end: dt.datetime
) -> ListMaker:
    """A list maker with the loaded model.

    Raises:
        ModelError: when the model is not the one expected.
    """
    scorer = load_scorer()
    if scorer.model_id != model_id:
        raise ModelError(f"the loaded model is {scorer.model_id}, not {model_id}: give recommend the model of infer")
    return ListMaker(scorer, settings, night_end)


@functools.lru_cache(maxsize=1)
def once_per_worker(make: bytes) -> ListMaker:
    """The list maker of a pickled `list_maker` call; the last one is kept, for a Python worker runs many tasks."""
    maker: ListMaker = pickle.loads(make)()
    return maker


def users_rows(make: bytes, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The lists of users, for `mapInArrow`."""
    for batch in batches:
        yield from once_per_worker(make).rows(batch)


def anybody_rows(make: bytes, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The lists of anybody, once per row, for `mapInArrow` on a frame of one row."""
    for batch in batches:
        for _ in range(batch.num_rows):
            yield from once_per_worker(make).of_anybody()
