"""The planted interests are in the events: by daypart, by place, drifting, with favourites and sequences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from chronotope.world.vocabulary import DAYPARTS, TOPIC_NAMES, TOPICS, suitability

CONTEXT = ["user", "daypart", "place"]


@pytest.fixture(scope="module")
def events(written):
    return written.events()


@pytest.fixture(scope="module")
def planted(written):
    return written.truth("topics")


def cramers_v(table):
    """Association of two names from 0 to 1: sqrt(chi2 / n / (min(rows, columns) - 1)), Cramer 1946."""
    counts = table.to_numpy(dtype=float)
    expected = counts.sum(1, keepdims=True) * counts.sum(0) / counts.sum()
    chi2 = ((counts - expected) ** 2 / expected).sum()
    return np.sqrt(chi2 / counts.sum() / (min(counts.shape) - 1))


def test_every_context_has_one_planted_topic(planted, written):
    assert not planted.duplicated(CONTEXT).any()
    assert set(planted["daypart"]) == set(DAYPARTS)
    users = written.truth("users")
    travellers = set(users.loc[users["away_region"].notna(), "user"])
    assert set(planted.loc[planted["place"] == "away", "user"]) == travellers
    assert 0.2 < len(travellers) / len(users) < 0.6


def test_planted_sessions_are_about_the_planted_topics(events, planted):
    merged = events[events["planted"]].merge(planted, on=CONTEXT)
    assert len(merged) == events["planted"].sum()
    assert ((merged["topic"] == merged["early_topic"]) | (merged["topic"] == merged["late_topic"])).all()
    assert events["planted"].mean() == pytest.approx(0.75, abs=0.03)


def test_the_planted_topic_is_found_far_above_popularity(events, planted):
    merged = events.merge(planted, on=CONTEXT)
    still = merged[merged["early_topic"] == merged["late_topic"]]
    found = (still["topic"] == still["early_topic"]).mean()
    common = still["daypart"].map(still.groupby("daypart")["topic"].agg(lambda topics: topics.mode()[0]))
    assert found > 0.75
    assert (still["topic"] == common).mean() < 0.45


def test_taste_depends_on_the_daypart(events):
    assert cramers_v(pd.crosstab(events["daypart"], events["topic"])) > 0.15
    shuffled = events["topic"].sample(frac=1, random_state=0).to_numpy()
    assert cramers_v(pd.crosstab(events["daypart"], shuffled)) < 0.05
    for number, daypart in enumerate(DAYPARTS):
        suited = [topic for topic, weight in zip(TOPIC_NAMES, suitability(number), strict=True) if weight == 1]
        share = events.loc[events["daypart"] == daypart, "topic"].isin(suited).mean()
        assert share > 1.5 * len(suited) / len(TOPICS)


def test_one_user_wants_other_things_at_home_at_work_and_away(events):
    """A user's usual topic in a daypart is seldom the same in two places; on odd and even days in one place, often."""
    usual = events.groupby(CONTEXT)["topic"].agg(lambda topics: topics.mode()[0]).unstack("place")
    between = usual.dropna(subset=["home", "away"])
    halves = events.assign(half=events["day"] % 2).groupby(["user", "daypart", "place", "half"])["topic"]
    within = halves.agg(lambda topics: topics.mode()[0]).unstack("half").dropna()
    assert (between["home"] == between["away"]).mean() < 0.35
    assert (within[0] == within[1]).mean() > 0.5


def test_interests_drift_from_the_early_to_the_late_topic(events, planted):
    drifting = planted[planted["early_topic"] != planted["late_topic"]]
    merged = events[events["planted"]].merge(drifting, on=CONTEXT)
    late = merged["topic"] == merged["late_topic"]
    shares = late.groupby(pd.cut(merged["progress"], [-0.01, 0.2, 0.4, 0.6, 0.8, 1.0], labels=False)).mean()
    assert shares.to_numpy() == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9], abs=0.09)
    assert 0.3 < len(drifting) / len(planted) < 0.55


def test_favourites_take_most_of_the_visits(events, written):
    favourites = written.truth("favourites")
    assert not favourites.duplicated(["user", "place", "topic", "which"]).any()
    views = events[(events["action"] == "view") & events["favourite"]]
    known = views.merge(
        favourites.drop_duplicates(["user", "place", "topic", "item"]), on=["user", "place", "topic", "item"]
    )
    # Favourites of topics that were never planted are not listed, nor those of tastes that all share.
    assert len(known) > 0.75 * len(views)
    assert len(views) > 0.45 * (events["action"] == "view").sum()


def test_people_come_back_to_the_same_items(events):
    views = events[events["action"] == "view"]
    again = views.duplicated(["user", "item"]).mean()
    others = views.assign(user=views["user"].sample(frac=1, random_state=0).to_numpy())
    assert again > others.duplicated(["user", "item"]).mean() + 0.2


def test_favourites_are_near(events):
    """Places that are favourites lie in the user's direction: nearer than what is explored."""
    placed = events[(events["action"] == "view") & events["lat"].notna() & (events["place"] == "home")]
    home = placed.groupby("user")[["lat", "lon"]].transform("median")
    distance = np.hypot(placed["lat"] - home["lat"], placed["lon"] - home["lon"])
    assert distance[placed["favourite"]].median() < distance[~placed["favourite"]].median()


def test_the_next_item_stands_beside_the_last(events):
    views = events[events["action"] == "view"].sort_values(["session", "occurred_s"])
    item = views["item"].str[1:].astype(int)
    same = views["session"].eq(views["session"].shift(-1))
    pairs = pd.DataFrame({"item": item, "next": item.shift(-1)})[same]
    usual = pairs.groupby("item")["next"].agg(lambda items: items.value_counts(normalize=True).iloc[0])
    assert usual.mean() > 0.5


def test_queries_are_words_of_the_topic_in_the_users_language(events, written):
    searches = events[events["action"] == "search"].merge(written.truth("users"), on="user")
    words = {
        "en": {t.name: set(t.words.split()) for t in TOPICS},
        "zh": {t.name: set(t.words_zh.split()) for t in TOPICS},
    }
    assert set(searches["language"]) == {"en", "zh"}
    for row in searches.itertuples():
        assert len(row.query.split()) == 2
        assert set(row.query.split()) <= words[row.language][row.topic]


def test_favourites_are_rated_well(events):
    rated = events[events["action"] == "rate"]
    assert set(rated.loc[rated["favourite"], "value"]) == {4, 5}
    assert set(rated.loc[~rated["favourite"], "value"]) == {1, 2, 3, 4, 5}


def test_regions_are_home_or_away_on_two_weekdays(events, written):
    merged = events.merge(written.truth("users"), on="user")
    away = merged["place"] == "away"
    assert (merged.loc[away, "city"] == merged.loc[away, "away_region"]).all()
    assert (merged.loc[~away, "city"] == merged.loc[~away, "home_region"]).all()
    assert merged[away].groupby("user")["city"].nunique().eq(1).all()
    assert 0.02 < away.mean() < 0.3


def test_some_users_are_new(events, written):
    users = written.truth("users")
    new = users["first_day"].astype(str) > written.planted["options"]["start"]
    assert 0.05 < new.mean() < 0.3
    first = pd.to_datetime(events.groupby("user")["day"].min(), unit="D")
    declared = pd.to_datetime(users.set_index("user")["first_day"])
    # A local day may begin on the UTC day before.
    assert (first >= declared.reindex(first.index) - pd.Timedelta(days=1)).all()
