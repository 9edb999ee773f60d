"""Training end to end on planted worlds: what was planted is found, and a killed training leaves no half model."""

from __future__ import annotations

import numpy as np
import pytest

from chronotope.errors import DataError
from chronotope.store.models import read_model
from chronotope.train import fit as fitting
from chronotope.train.curve import loss_curve
from chronotope.train.fit import CHECKPOINT, CURVE, Epoch, best_of, fit
from chronotope.train.scorer import SpaceTimeScorer
from tests.train import small

STEPS, USERS = 24, 80
CUT_S, TAIL_S = small.MONDAY_S + 100 * small.DAY_S, 10 * small.DAY_S


@pytest.fixture(scope="module")
def quick(defaults):
    changes = {"dim": 16, "hidden": 16, "trust_hidden": 16, "max_steps": 16, "epochs": 6, "batch_size": 32}
    changes |= {"learning_rate": 0.02}
    return defaults.model_copy(update={"train": defaults.train.model_copy(update=changes)})


def world(next_item, seed=0, regions=False):
    """Users whose items follow from a rule: `next_item(previous, slot, region, random)`."""
    random = np.random.default_rng(seed)
    rows = []
    for n in range(USERS):
        at_s = small.MONDAY_S + np.sort(random.uniform(0, 100 * small.DAY_S, STEPS) // 3600 * 3600)
        where = random.integers(2, size=STEPS)
        items = [int(random.integers(6))]
        for step in range(1, STEPS):
            slot = int((at_s[step] - small.MONDAY_S) // 3600 % 168)
            items.append(next_item(items[-1], slot, where[step], random))
        rows.append(
            small.history(
                f"u{n}", items, at_s, region=[["north", "south"][w] for w in where] if regions else [None] * STEPS
            )
        )
    return rows


def accuracy(scorer, rows, region_known=False):
    """Share of the last eight steps whose item is ranked first, knowing all steps before."""
    users = small.users(rows, scorer.catalogue)
    user, last = np.repeat(np.arange(len(rows)), 8), np.tile(np.arange(STEPS - 8, STEPS), len(rows))
    asked = small.queries(
        *[
            {
                "user": n, "known_steps": step, "at_s": users.at_s[n, step], "slot": users.slot[n, step],
                "region": users.region[n, step] if region_known else -1, "previous_known": True,
            }
            for n, step in zip(user, last, strict=True)
        ]
    )  # fmt: skip
    best = scorer.score(scorer.encode(users, asked), users, asked).argmax(axis=1)
    return float((best == users.item[user, last]).mean())


def trained(rows, settings, folder, seed=1, cut_s=CUT_S, tail_s=TAIL_S):
    known = small.counted(small.catalogue(), rows)
    return fit(small.write(folder, rows, files=2), known, settings, cut_s, tail_s, folder / "model", seed)


def planted(rule, share=0.9):
    return lambda previous, slot, region, random: (
        rule(previous, slot, region) if random.random() < share else int(random.integers(6))
    )


@pytest.mark.parametrize(
    ("rule", "regions"),
    [
        (lambda previous, slot, region: (previous + 1) % 6, False),  # a Markov world
        (lambda previous, slot, region: slot % 24 // 4, False),  # the hour decides
        (lambda previous, slot, region: int(region), True),  # the place decides
    ],
    ids=["markov", "hour", "region"],
)
def test_the_planted_rule_is_found(rule, regions, quick, tmp_path):
    rows = world(planted(rule), regions=regions)
    scorer = trained(rows, quick, tmp_path)
    popular = np.bincount([int(row["item_id"][-1][1:]) for row in rows], minlength=6).max() / USERS
    found = accuracy(scorer, world(planted(rule), seed=1, regions=regions), region_known=regions)
    assert popular < 0.65
    assert found > 0.7


HOURS = (8, 13, 20)  # of a strict daily habit


def habits(seed):
    """Users who do the same three things at the same hours of every day, each user in an order of their own."""
    random = np.random.default_rng(seed)
    days = np.arange(STEPS // len(HOURS))
    at_s = small.MONDAY_S + np.add.outer(days * small.DAY_S, small.HOUR_S * np.array(HOURS)).ravel()
    return [small.history(f"u{n}", random.permutation(6)[: len(HOURS)].tolist() * len(days), at_s) for n in range(40)]


def test_a_strict_daily_habit_comes_first_at_its_hour(quick, tmp_path):
    """For users that the model was not trained on, as a morning list asks."""
    scorer = trained(habits(0), quick, tmp_path, cut_s=small.MONDAY_S + 8 * small.DAY_S, tail_s=small.DAY_S)
    rows, midnight = habits(1), small.MONDAY_S + 8 * small.DAY_S
    users = small.users(rows, scorer.catalogue)
    asked = small.queries(
        *[
            {"user": n, "known_steps": STEPS, "at_s": midnight + hour * small.HOUR_S, "slot": 24 + hour}
            for n in range(len(rows))
            for hour in HOURS
        ]
    )
    best = scorer.score(scorer.encode(users, asked), users, asked).argmax(axis=1)
    assert (best == users.item[:, : len(HOURS)].ravel()).mean() > 0.95


def test_the_loss_falls_and_all_files_are_there(quick, tmp_path):
    trained(world(planted(lambda previous, slot, region: (previous + 1) % 6)), quick, tmp_path)
    epochs = read_model(tmp_path / "model").about["epochs"]
    assert epochs[-1]["train_loss"] < epochs[0]["train_loss"] - 0.1
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {"model.json", "weights.safetensors", "catalogue.safetensors", "catalogue.json", CURVE}
    assert (tmp_path / "model" / CURVE).read_bytes().startswith(b"\x89PNG")


@pytest.fixture(scope="module")
def short(quick):
    return quick.model_copy(update={"train": quick.train.model_copy(update={"epochs": 1, "dim": 4, "hidden": 4})})


RANDOM = world(lambda previous, slot, region, random: int(random.integers(6)))[:20]


def scores(scorer):
    users = small.users(RANDOM[:3], scorer.catalogue)
    asked = small.queries(*[{"user": n, "known_steps": 5, "at_s": CUT_S} for n in range(3)])
    return scorer.score(scorer.encode(users, asked), users, asked)


def test_the_seed_decides(short, tmp_path):
    made = []
    for n, seed in enumerate([1, 1, 2]):
        (tmp_path / str(n)).mkdir()
        made.append(scores(trained(RANDOM, short, tmp_path / str(n), seed)))
    assert made[1] == pytest.approx(made[0], abs=1e-5)
    assert np.abs(made[2] - made[0]).max() > 1e-3


def test_steps_from_the_cut_on_change_nothing(short, tmp_path):
    late = [small.history("late", [5] * 9, CUT_S + 3600 * np.arange(9))]
    known = small.counted(small.catalogue(), RANDOM)
    made = []
    for name, rows in (("clean", RANDOM), ("poisoned", [*RANDOM, *late])):
        (tmp_path / name).mkdir()
        made.append(
            scores(fit(small.write(tmp_path / name, rows), known, short, CUT_S, TAIL_S, tmp_path / name / "m", 1))
        )
    assert made[1] == pytest.approx(made[0], abs=1e-5)


def test_what_was_saved_is_what_was_trained(short, tmp_path):
    scorer = trained(RANDOM, short, tmp_path)
    loaded = SpaceTimeScorer.load(tmp_path / "model")
    assert loaded.model_id == scorer.model_id == "model"
    assert (scores(loaded) == scores(scorer)).all()


@pytest.mark.parametrize(
    "changes",
    [{"encoder": "gru"}, {"encoder": "transformer"}, {"kl_weight": 0.01, "label_smoothing": 0.1}, {"sequence": False},
     {"memory": False}, {"repeats": False}, {"memory": False, "repeats": False}, {"own_vectors": False},
     {"mask_previous": 1.0}, {"mask_lately": 1.0}, {"ahead_share": 0.3}, {"ahead_share": 0.3, "repeats": False},
     {"half_lives_steps": [5.0, 1000.0]}, {"half_lives_steps": [5.0], "sequence": False},
     {"half_lives_steps": [5.0], "kl_weight": 0.01, "memory": False}],
    ids=str,
)  # fmt: skip
def test_every_setting_can_be_learned_with_and_read_again(changes, short, tmp_path):
    settings = short.model_copy(update={"train": short.train.model_copy(update=changes)})
    made = scores(trained(RANDOM, settings, tmp_path))
    assert np.isfinite(made).all()
    assert (scores(SpaceTimeScorer.load(tmp_path / "model")) == made).all()


def test_a_killed_training_leaves_the_old_model(short, tmp_path, monkeypatch):
    before = scores(trained(RANDOM, short, tmp_path))

    def killed(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "loss_curve", killed)
    with pytest.raises(KeyboardInterrupt):
        trained(RANDOM, short, tmp_path, seed=2)
    assert (tmp_path / "model.partial" / CHECKPOINT).exists()
    assert (scores(SpaceTimeScorer.load(tmp_path / "model")) == before).all()
    monkeypatch.setattr(fitting, "loss_curve", loss_curve)
    trained(RANDOM, short, tmp_path, seed=2)
    assert not (tmp_path / "model.partial").exists()


class Scripted:
    """A trainer whose validation losses are written down."""

    def __init__(self, losses, model):
        self.losses, self.kept, self.trained = iter(losses), model, 0

    def measure(self):
        self.measured = True

    def train(self, epoch, ends):
        self.trained = epoch
        return 1.0

    def validate(self):
        return next(self.losses)


@pytest.mark.parametrize(
    ("losses", "patience", "epochs", "best"),
    [([3, 2, 2.5, 2.4, 1], 2, 4, 2), ([3, 2, 1, 0.5, 0.4], 1, 5, 5), ([3, 3, 3, 3, 3], 3, 4, 1)],
)
def test_training_stops_when_it_no_longer_helps(defaults, short, tmp_path, losses, patience, epochs, best):
    scorer = trained(RANDOM[:2], short, tmp_path)
    settings = defaults.model_copy(
        update={"train": defaults.train.model_copy(update={"epochs": 5, "patience": patience})}
    )
    done = fitting.keep_best(Scripted(losses, scorer.model), settings, tmp_path / "best")
    assert (len(done), best_of(done).number) == (epochs, best)
    assert (tmp_path / "best").exists()


@pytest.mark.parametrize(("seconds", "epochs"), [([100] * 5, 3), ([100, 220, 10], 2), ([400, 1], 1)])
def test_the_epoch_in_which_the_time_is_over_is_the_last(defaults, monkeypatch, caplog, seconds, epochs):
    clock = [0.0]

    class Slow(Scripted):
        def train(self, epoch, ends):
            assert ends == 300.0
            clock[0] += seconds[epoch - 1]
            return super().train(epoch, ends)

    monkeypatch.setattr(fitting.time, "monotonic", lambda: clock[0])
    limits = {"epochs": 5, "max_minutes": 5.0}
    settings = defaults.model_copy(update={"train": defaults.train.model_copy(update=limits)})
    found = list(fitting.run_epochs(Slow([5, 4, 3, 2, 1], None), settings))
    assert [epoch.seconds for epoch in found] == seconds[:epochs]
    assert f"training ends in epoch {epochs}" in caplog.text


def test_a_training_without_time_is_one_batch_long(short, tmp_path):
    changes = {"epochs": 50, "max_minutes": 1e-9}
    limited = short.model_copy(update={"train": short.train.model_copy(update=changes)})
    trained(RANDOM, limited, tmp_path)
    assert len(read_model(tmp_path / "model").about["epochs"]) == 1


def test_without_validation_days_the_training_loss_decides(short, tmp_path):
    known = small.counted(small.catalogue(), RANDOM)
    fit(small.write(tmp_path, RANDOM), known, short, CUT_S + 1e9, 1.0, tmp_path / "model", 1)
    (epoch,) = read_model(tmp_path / "model").about["epochs"]
    assert epoch["validation_loss"] == epoch["train_loss"]


def test_nothing_to_learn_from(short, tmp_path):
    with pytest.raises(DataError, match="no step to learn from"):
        fit(small.write(tmp_path, RANDOM), small.catalogue(), short, small.MONDAY_S, 1.0, tmp_path / "model", 1)


def test_a_large_catalogue_is_sampled(short, tmp_path):
    sampled = short.model_copy(update={"train": short.train.model_copy(update={"exact_items": 4})})
    assert np.isfinite(scores(trained(RANDOM, sampled, tmp_path))).all()


def test_the_first_of_equal_epochs_is_best():
    assert best_of([Epoch(1, 1.0, 2.0, 0.0), Epoch(2, 1.0, 2.0, 0.0)]).number == 1
