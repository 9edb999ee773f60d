"""A trained model over tonight's catalogue: what was learned stays, what is new is told by what is known of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy import sparse

from chronotope.store.models import StoredModel, write_model
from chronotope.train.blend import KINDS, CountBlend
from chronotope.train.catalogue import catalogue_of
from chronotope.train.refresh import NAMED, refreshed
from chronotope.train.scorer import KIND, SpaceTimeScorer
from chronotope.train.space_time import SpaceTime
from chronotope.train.tables import item_tables, log_share
from tests.rows import frame
from tests.train import small
from tests.train.test_catalogue import CUT, EMBEDDINGS, ITEMS, SESSIONS, item
from tests.train.test_histories import session, step

# Of eight items the model was trained on five; tonight 02 is gone, and 03, 04 (in its place) and 07 are new.
TRAINED, TONIGHT = [0, 1, 2, 5, 6], [0, 1, 3, 4, 5, 6, 7]
KEPT = ["i00", "i01", "i05", "i06"]
ROWS = [small.history("u0", [0, 1, 6, 1]), small.history("u1", [5, 6, 5])]
ASKED = [
    {"user": user, "known_steps": known, "at_s": small.MONDAY_S + 9e4, "slot": 25, "region": region}
    | {"previous_known": just}
    for user, known, region, just in [(0, 4, 0, True), (0, 2, 1, False), (1, 3, -1, True), (1, 0, 0, False)]
]


def only(known, items):
    """The catalogue of some of its items."""
    return dataclasses.replace(
        known,
        item_ids=[known.item_ids[j] for j in items],
        categories=[known.categories[j] for j in items],
        languages=[known.languages[j] for j in items],
        lat=known.lat[items],
        lon=known.lon[items],
        region=known.region[items],
        embedding=known.embedding[items],
        gone=known.gone[items],
        popularity=known.popularity[:, items],
        transitions=known.transitions[items][:, items],
        visitors=known.visitors[items],
        trending=known.trending[items],
    )


EVERY = small.counted(small.catalogue(n_items=8), ROWS)
THEN, NOW = only(EVERY, TRAINED), only(EVERY, TONIGHT)


def trained(defaults, known, seed=0, **changes):
    """A space-time model with weights far from their start, as it is stored."""
    torch.manual_seed(seed)
    settings = defaults.train.model_copy(update={"dim": 8, "hidden": 6} | changes)
    model = SpaceTime(known, item_tables(known, torch.device("cpu")), settings, (30.0, 3.0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    about = {"kind": KIND, "model_id": "m", "half_lives_days": [30.0, 3.0], "settings": settings.model_dump()}
    return StoredModel(about, dict(model.state_dict()), known)


@pytest.fixture(scope="module")
def stored(defaults):
    return trained(defaults, THEN)


def scores(scorer, rows=ROWS, asked=ASKED):
    """Item to its scores, one per query."""
    users, queries = small.users(rows, scorer.catalogue), small.queries(*asked)
    found = scorer.score(scorer.encode(users, queries), users, queries)
    return dict(zip(scorer.catalogue.item_ids, found.T, strict=True))


def tonight(stored, known=NOW):
    return SpaceTimeScorer.of(refreshed(stored, known))


def with_events(known, item_id, n):
    """The catalogue with `n` events of an item on weekdays, somewhere."""
    counts = known.popularity.toarray()
    counts[:, known.item_ids.index(item_id)] = 0
    counts[0, known.item_ids.index(item_id)] = n
    return dataclasses.replace(known, popularity=sparse.csr_matrix(counts))


def test_known_items_keep_their_vectors(stored):
    """Their scores may move: they also count what everybody did up to tonight."""
    before, after = SpaceTimeScorer.of(stored), tonight(stored)
    for item_id in KEPT:
        was, now = THEN.item_ids.index(item_id), NOW.item_ids.index(item_id)
        assert after.vectors[now].tolist() == pytest.approx(before.vectors[was].tolist(), abs=1e-6)


def test_the_model_keeps_its_name(stored):
    assert refreshed(stored, NOW).about == stored.about


def test_gone_items_are_gone_and_new_ones_have_finite_scores(stored):
    found = scores(tonight(stored))
    assert list(found) == NOW.item_ids
    assert np.isfinite(list(found.values())).all()


def test_nothing_else_is_of_the_size_of_the_catalogue(stored):
    """What refreshing does not touch has one shape, whatever the items, regions, categories and actions."""
    wider = dataclasses.replace(
        small.catalogue(n_items=11, regions=("a", "b", "c"), n_texts=5), actions=["a", "b", "c", "d"]
    )
    one, other = (SpaceTimeScorer.of(model).model.state_dict() for model in (stored, refreshed(stored, wider)))
    assert one.keys() == other.keys()
    assert {name for name in one if one[name].shape != other[name].shape} == {"item.weight", *NAMED}


def test_the_same_catalogue_changes_nothing(stored):
    again = refreshed(stored, THEN)
    assert all((scores(SpaceTimeScorer.of(again))[i] == s).all() for i, s in scores(SpaceTimeScorer.of(stored)).items())
    assert all(torch.equal(tensor, stored.tensors[name]) for name, tensor in again.tensors.items())


def test_a_new_item_is_told_by_its_text_category_region_and_place(stored):
    """03 was given all that 00 has; 00 differs from it by what was learned about 00 alone."""
    alike = {name: getattr(NOW, name).copy() for name in ("lat", "lon", "region", "embedding")}
    for values in alike.values():
        values[2] = values[0]
    categories = [NOW.categories[0] if j == 2 else name for j, name in enumerate(NOW.categories)]
    scorer = tonight(stored, dataclasses.replace(NOW, categories=categories, **alike))
    assert scorer.vectors[2].tolist() == pytest.approx(
        (scorer.vectors[0] - stored.tensors["item.weight"][0]).tolist(), abs=1e-5
    )
    assert scorer.vectors[2].abs().max() > 0.1


def test_texts_tell_new_items_apart(stored):
    """03 and 07 differ in their text alone."""
    same = {name: getattr(NOW, name).copy() for name in ("lat", "lon", "region")}
    for values in same.values():
        values[6] = values[2]
    alike = dataclasses.replace(NOW, categories=[*NOW.categories[:6], NOW.categories[2]], **same)
    found = scores(tonight(stored, alike))
    assert np.abs(found["i07"] - found["i03"]).min() > 1e-3
    twins = dataclasses.replace(alike, embedding=np.concatenate([alike.embedding[:6], alike.embedding[2:3]]))
    found = scores(tonight(stored, twins))
    assert found["i07"] == pytest.approx(found["i03"], abs=1e-5)


def test_the_bias_of_an_item_is_told_from_its_events_up_to_tonight_whether_it_is_new_or_not(stored):
    busy = with_events(with_events(NOW, "i03", 9), "i00", 99)
    quiet, now = (tonight(stored, known).biases for known in (NOW, busy))
    share = np.array([log_share(known.popularity[:2].sum(axis=0)) for known in (NOW, busy)])
    expected = stored.tensors["popular"][0].item() * (share[1] - share[0])
    assert (now - quiet).tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert abs(expected[[0, 2]]).min() > 0.1


@pytest.mark.parametrize(("tensor", "names"), NAMED.items(), ids=NAMED.values())
def test_names_keep_their_vectors_and_new_ones_get_that_of_the_unknown(stored, tensor, names):
    """One name is gone, and one is new and sorts before all others."""
    known = sorted(set(getattr(THEN, names)))
    changed = {name: "a new one" if name == known[-1] else name for name in known}
    renamed = [changed[name] for name in getattr(THEN, names)]
    renamed = renamed if names == "categories" else sorted(renamed)
    found = refreshed(stored, dataclasses.replace(THEN, **{names: renamed})).tensors[tensor]
    unknown, *vectors = stored.tensors[tensor].tolist()
    assert found.tolist() == [unknown, unknown, *vectors[:-1]]


def test_a_region_category_and_action_that_are_new_do_not_break_a_score(stored):
    wider = dataclasses.replace(
        NOW,
        regions=["east", *NOW.regions],
        region=NOW.region + 1,
        actions=["ask", *NOW.actions],
        categories=["a new kind", *NOW.categories[1:]],
        popularity=sparse.vstack([NOW.popularity[:2], NOW.popularity[:2] * 0, NOW.popularity[2:]]).tocsr(),
    )
    rows = [ROWS[0] | {"action": ["ask"] * 4}, ROWS[1]]
    found = scores(tonight(stored, wider), rows, [asked | {"region": 0} for asked in ASKED])
    assert np.isfinite(list(found.values())).all()


def test_a_catalogue_without_any_known_item_has_finite_scores(stored):
    found = scores(tonight(stored, only(EVERY, [3, 4, 7])))
    assert list(found) == ["i03", "i04", "i07"]
    assert np.isfinite(list(found.values())).all()


def test_what_was_stored_is_left_as_it_was(defaults, stored):
    refreshed(stored, with_events(NOW, "i00", 99))
    fresh = trained(defaults, THEN)
    assert stored.catalogue.item_ids == [f"i{j:02d}" for j in TRAINED]
    assert all(torch.equal(tensor, stored.tensors[name]) for name, tensor in fresh.tensors.items())


BY_POPULARITY = {"popular_here": 2.0}


def blend_of(known):
    """A count model that ranks by popularity where the query is asked, as it is stored."""
    blend = CountBlend(known, dict.fromkeys(KINDS, BY_POPULARITY), "counts-then")
    return StoredModel({"kind": "counts", "model_id": "counts-then", "blend": blend.to_dict()}, {}, known)


def test_the_count_model_keeps_its_weights_and_counts_tonight():
    later = with_events(NOW, "i07", 50)
    found = refreshed(blend_of(THEN), later)
    scorer = CountBlend.from_dict(found.about["blend"], found.catalogue)
    expected = CountBlend(later, dict.fromkeys(KINDS, BY_POPULARITY))
    for item_id, values in scores(expected).items():
        assert scores(scorer)[item_id].tolist() == values.tolist()
    assert max(scores(scorer), key=lambda item_id: scores(scorer)[item_id][3]) == "i07"
    assert (scorer.model_id, found.tensors) == ("counts-then", {})


def files_of(folder, model):
    write_model(folder, model)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_inputs_give_the_same_bytes(defaults, tmp_path):
    first, second = (refreshed(trained(defaults, only(EVERY, TRAINED)), only(EVERY, TONIGHT)) for _ in range(2))
    assert files_of(tmp_path / "1", first) == files_of(tmp_path / "2", second)


def test_nothing_from_after_the_nights_end_gets_in(spark, defaults, tmp_path):
    """What comes later: an event on a known item, and one on an item of a region that nobody was in before."""
    late = session("k9", step("8", 100, "a", region="r1"), step("9", 101, "later", region="r9"), user="v")
    items, vectors = frame(spark, "items", [*ITEMS, item("later")]), frame(spark, "item_embeddings", EMBEDDINGS)
    clean, poisoned = (
        catalogue_of(items, vectors, frame(spark, "sessions", sessions), defaults, CUT)
        for sessions in (SESSIONS, [*SESSIONS, late])
    )
    stored = trained(defaults, dataclasses.replace(clean, item_ids=["a", "b", "c"]))
    assert files_of(tmp_path / "p", refreshed(stored, poisoned)) == files_of(tmp_path / "c", refreshed(stored, clean))


@pytest.mark.parametrize("size", [1, 6])
def test_texts_embedded_in_another_size_are_nothing_to_the_model(stored, size):
    other = dataclasses.replace(NOW, embedding=np.ones((len(TONIGHT), size), np.float32))
    without = dataclasses.replace(NOW, embedding=np.zeros_like(NOW.embedding))
    found, expected = scores(tonight(stored, other)), scores(tonight(stored, without))
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[item], expected[item]) for item in found)


def test_a_model_whose_items_have_no_vectors_of_their_own_meets_new_items(defaults):
    found = tonight(trained(defaults, THEN, own_vectors=False))
    assert "item.weight" not in found.model.state_dict()
    assert np.isfinite(list(scores(found).values())).all()
