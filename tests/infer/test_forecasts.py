"""Table forecasts: sums to one, equals what the model's scores say, names what is likeliest."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from chronotope.infer.contexts import usual_dayparts
from chronotope.infer.forecasts import MAX_TOPICS, OTHER, forecasts, named
from chronotope.infer.topics import topics_of
from chronotope.tables import TABLES
from tests.infer.conftest import NIGHT, NIGHT_END
from tests.infer.frames import histories_frame
from tests.infer.test_contexts import count
from tests.oracles import infer as oracle
from tests.rows import frame
from tests.train import small

ROWS = [small.history(f"u{n}", items) for n, items in enumerate([[0, 1, 2], [5], [3, 3, 3, 4, 1], [2, 2]])]
COUNTS = [
    count(user=f"u{n}", daypart=d, region=r) for n in range(4) for d, r in [("weekday", "north"), ("weekend", "")]
]


@pytest.fixture(scope="module")
def rows(_spark_session, load, scorer, small_settings):
    counts = frame(_spark_session, "counts", COUNTS)
    topics = topics_of(scorer.catalogue, 4, 0)
    usual = usual_dayparts(_spark_session, scorer.catalogue)
    args = (counts, usual, topics, load, small_settings, NIGHT_END, NIGHT)
    answer = forecasts(histories_frame(_spark_session, ROWS).repartition(2), *args)
    TABLES["forecasts"].check(answer)
    return answer.collect()


def test_topics_add_up_to_one_in_every_context(rows):
    sums = defaultdict(float)
    for row in rows:
        sums[row.user_id, row.daypart, row.region] += row.probability
    assert len(sums) == 4 * 2 * 2
    assert list(sums.values()) == pytest.approx([1.0] * 16)


def test_contexts_add_up_to_one_for_every_user(rows):
    contexts = {(row.user_id, row.daypart, row.region): row.context_probability for row in rows}
    sums = defaultdict(float)
    for (user, *_), probability in contexts.items():
        sums[user] += probability
    assert sums == pytest.approx({f"u{n}": 1.0 for n in range(4)})


def test_probabilities_are_those_of_the_scores(rows, scorer):
    assert scorer.smoothing > 0
    users = small.users(ROWS, scorer.catalogue)
    slot = 5 * 24 + 12  # the middle of Saturday
    at_s = NIGHT_END.timestamp() + 3600 * (slot - 2 * 24 + 0.5)  # the night ended on a Wednesday at 00:00
    for n, items in enumerate(ROWS):
        query = small.queries({"user": n, "known_steps": len(items["item_id"]), "at_s": at_s, "slot": slot})
        scores = scorer.score(scorer.encode(users, query), users, query)[0]
        expected = oracle.topic_probabilities(scores.tolist(), scorer.catalogue.categories, scorer.smoothing)
        found = {r.topic: r.probability for r in rows if (r.user_id, r.daypart, r.region) == (f"u{n}", "weekend", "")}
        assert found == pytest.approx(expected, rel=1e-4)


def test_the_rest_goes_under_other():
    names = sorted([f"topic {n:02d}" for n in range(MAX_TOPICS + 3)] + [OTHER])
    probability = np.full((2, len(names)), 1 / len(names))
    probability[0, 5] += 0.5
    probability[0] /= probability[0].sum()
    rows = named(probability, names)
    assert rows.groupby("context")["probability"].sum().tolist() == pytest.approx([1.0, 1.0])
    first = rows[rows["context"] == 0]
    assert (first["topic"].iloc[0], first["topic"].iloc[-1], len(first)) == (names[5], OTHER, MAX_TOPICS + 1)
    equal = rows[rows["context"] == 1]["topic"].tolist()
    assert equal == [*[name for name in names if name != OTHER][:MAX_TOPICS], OTHER]


def test_a_topic_called_other_is_part_of_the_rest():
    rows = named(np.array([[0.25, 0.75]]), [OTHER, "tea"])
    assert rows[["topic", "probability"]].to_numpy().tolist() == [["tea", 0.75], [OTHER, 0.25]]


def test_users_without_contexts_have_no_forecast(spark, load, scorer, small_settings):
    topics = topics_of(scorer.catalogue, 4, 0)
    usual = usual_dayparts(spark, scorer.catalogue)
    args = (frame(spark, "counts", COUNTS[:2]), usual, topics, load, small_settings, NIGHT_END, NIGHT)
    answer = forecasts(histories_frame(spark, ROWS), *args)
    assert {row.user_id for row in answer.collect()} == {"u0"}
