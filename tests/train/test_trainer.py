"""One model in training: what a pass over the examples leaves behind."""

from __future__ import annotations

import math

import pytest
import torch

import chronotope.train.trainer as training
from chronotope.train.examples import Period
from chronotope.train.memory import nothing
from chronotope.train.past import eras
from chronotope.train.space_time import SpaceTime
from chronotope.train.tables import item_tables
from chronotope.train.trainer import AVERAGED_STEPS, Course, Trainer, mean, move_average
from tests.train import small

ROWS = [small.history(f"u{n}", [(n + k) % 6 for k in range(20)]) for n in range(12)]
CUT_S, END_S = small.MONDAY_S + 15 * small.HOUR_S, small.MONDAY_S + 20 * small.HOUR_S


@pytest.fixture
def trainer(defaults, tmp_path):
    return trainer_of(defaults, tmp_path)


def trainer_of(defaults, tmp_path, rows=ROWS, **changes):
    torch.manual_seed(0)
    changes = {"dim": 6, "hidden": 5, "trust_hidden": 6, "max_steps": 8, "batch_size": 20} | changes
    settings = defaults.model_copy(update={"train": defaults.train.model_copy(update=changes)})
    known, files = small.counted(small.catalogue(), ROWS), small.write(tmp_path, rows)
    tables = item_tables(known, torch.device("cpu"), eras(files, known, CUT_S, 3 * small.HOUR_S))
    course = Course(files, known, settings, Period(-math.inf, CUT_S), Period(CUT_S, END_S))
    return Trainer(course, SpaceTime(known, tables, settings.train, (30.0, 3.0)), tables, 0)


def weights(trainer):
    return {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}


def test_training_moves_every_weight_and_lowers_the_loss(defaults, tmp_path):
    """Of items that are all as popular, what is made of popularity would stay."""
    trainer = trainer_of(defaults, tmp_path, [*ROWS, small.history("v", [0, 1] * 10)])
    trainer.measure()
    before = weights(trainer)
    losses = [trainer.train(epoch) for epoch in range(1, 5)]
    still = {name for name, tensor in weights(trainer).items() if torch.equal(tensor, before[name])}
    assert still == {"trust.mean", "trust.deviation", "waves.centre", "waves.spread"}
    assert losses[-1] < losses[0] - 0.05


def test_no_step_is_taken_on_gradients_longer_than_the_most(defaults, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "MAX_GRADIENT", 1e-3)  # below any of theirs
    trainer, lengths = trainer_of(defaults, tmp_path), []

    def stepped(_self, _args, _kwargs):
        for parameters in trainer.apart:
            gradients = [p.grad for p in parameters if p.grad is not None]
            lengths.append(float(torch.nn.utils.get_total_norm(gradients)))

    trainer.optimizer.register_step_pre_hook(stepped)
    trainer.train(1)
    assert lengths
    assert lengths == pytest.approx([1e-3] * len(lengths), rel=1e-3)


def test_each_epoch_leaves_its_share_of_the_rates(defaults, tmp_path):
    trainer = trainer_of(defaults, tmp_path, rate_decay=0.75)
    before = [group["lr"] for group in trainer.optimizer.param_groups]
    trainer.train(1)
    trainer.train(2)
    after = [group["lr"] for group in trainer.optimizer.param_groups]
    assert after == pytest.approx([0.75**2 * rate for rate in before])
    assert len(set(before)) == 2


def test_validation_changes_nothing_and_is_the_same_every_time(trainer):
    trainer.train(1)
    before = weights(trainer)
    assert trainer.validate() == trainer.validate()
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(trainer).items())


def known_to(trainer, example):
    return trainer.model.remember(trainer.whole_of(example), trainer.tables)


def test_measuring_shows_the_model_the_scale_of_the_features(trainer):
    trainer.measure()
    (example, *_) = trainer.course.examples(trainer.course.training, 0)
    known = known_to(trainer, example)
    features = known.features(torch.arange(len(known.item)))
    even = (features - trainer.model.trust.mean) / trainer.model.trust.deviation
    assert trainer.model.trust.mean.abs().max() > 0.1
    assert float(even.mean().abs()) < 0.5


def test_queries_read_windows_for_their_state_and_whole_histories_for_their_memory(trainer):
    for example in trainer.course.examples(trainer.course.training, 0):
        known = known_to(trainer, example)
        seen = known.is_met(torch.arange(len(known.item)))
        assert example.users.item.shape[1] <= 8
        for q in (0, len(example.truth) - 1):
            row, n = example.of_whole.user[q], example.of_whole.known_steps[q]
            own = set(example.whole.item[row, :n].tolist())
            hidden = example.of_whole.hidden_to[q] > example.of_whole.hidden_from[q]
            assert hidden or set(known.item[(known.query == q) & seen].tolist()) == own


@pytest.mark.parametrize("exact_items", [6, 4])
@pytest.mark.parametrize("without_memory", [True, False])
def test_truths_what_comes_later_and_all_that_memory_speaks_of_are_candidates(
    defaults, tmp_path, exact_items, without_memory
):
    made = trainer_of(defaults, tmp_path, exact_items=exact_items)
    (example, *_) = made.course.examples(made.course.training, 0)
    truth, later = torch.from_numpy(example.truth), torch.tensor([[-1, 5, -1]])
    known = nothing(made.whole_of(example)) if without_memory else known_to(made, example)
    for _ in range(20):  # draws: by chance alone a sample of them has neither
        for some in (truth, truth[:1]):
            items = set(made.candidates(known, some, later).items.tolist())
            assert items >= {*some.tolist(), 5, *known.item.tolist()}
            assert exact_items == 4 or len(items) == 6


def test_a_share_of_the_truth_ahead_is_learned_from_and_not_told(defaults, tmp_path):
    told, gradients = [], []
    for share in (0.0, 0.3):
        made = trainer_of(defaults, tmp_path, ahead_share=share)
        (example, *_) = made.course.examples(made.course.training, 0)
        told.append((made.loss(made.model.eval(), example), made.validate()))
        gradients.append(torch.cat([p.grad.flatten() for p in made.model.parameters() if p.grad is not None]))
    assert told[0] == pytest.approx(told[1], rel=1e-6)
    assert not torch.allclose(*gradients, atol=1e-4)


def test_a_pass_ends_when_the_time_is_over(trainer):
    n_batches = len(list(trainer.course.examples(trainer.course.training, trainer.seed + 1)))
    assert n_batches > 1
    trainer.measure()
    assert math.isfinite(trainer.train(1, ends=0.0))
    assert int(trainer.averaged.n_averaged) == 1
    trainer.train(2, ends=math.inf)
    assert int(trainer.averaged.n_averaged) == 1 + n_batches


def test_a_long_validation_is_over_its_first_batches(trainer, monkeypatch):
    trainer.measure()
    every = list(trainer.course.examples(trainer.course.validation, trainer.seed))
    whole = trainer.validate()
    monkeypatch.setattr(training, "VALIDATED_BATCHES", 1)
    with torch.no_grad():
        first = trainer.loss(trainer.kept, every[0])
    assert trainer.validate() == pytest.approx(first)
    assert len(every) > 1
    assert first != pytest.approx(whole)


def test_nothing_to_learn_from_has_no_loss(defaults, tmp_path):
    made = trainer_of(defaults, tmp_path, [small.history("u", [])])
    made.measure()
    assert math.isnan(made.train(1))
    assert math.isnan(made.validate())
    assert math.isnan(mean(0.0, 0))


def test_what_weighs_counts_has_its_own_rate_and_matrices_decay(trainer):
    of_trust, others = trainer.optimizer.param_groups[:2], trainer.optimizer.param_groups[2:]
    train = trainer.course.settings.train
    assert {group["lr"] for group in of_trust} == {train.trust_learning_rate}
    assert {group["lr"] for group in others} == {train.learning_rate}
    assert [group["weight_decay"] for group in of_trust] == [train.trust_weight_decay, 0.0]
    assert [group["weight_decay"] for group in others] == [train.weight_decay, 0.0]
    counted = [len(group["params"]) for group in trainer.optimizer.param_groups]
    assert sum(counted) == len(list(trainer.model.parameters()))
    model = trainer.model
    assert sum(counted[:2]) == len([*model.trust.parameters(), *model.moments.parameters()])


def test_an_average_moves_towards_the_weights_and_takes_over_integers():
    average, counter = torch.tensor([1.0, 2.0]), torch.tensor([3])
    for _ in range(5):
        move_average([average, counter], [torch.tensor([2.0, 2.0]), torch.tensor([7])], torch.tensor(10_000))
    assert average.tolist() == pytest.approx([2 - (1 - 1 / AVERAGED_STEPS) ** 5, 2.0])
    assert counter.tolist() == [7]


def test_of_few_steps_the_first_ones_weigh_next_to_nothing():
    average = torch.tensor([1.0])
    for done in range(1, 30):
        move_average([average], [torch.tensor([0.0])], done)
    assert 0 < average.item() < 1e-5


def test_what_happens_after_all_targets_changes_no_loss_at_the_start(defaults, tmp_path):
    """Neither biases nor memory of a training query read what everybody did later, in eras of the same moments."""
    poisoned = [
        row
        | {"item_id": [i if t < CUT_S else "i05" for i, t in zip(row["item_id"], row["occurred_at_s"], strict=True)]}
        for row in ROWS
    ]
    losses = []
    for name, rows in (("plain", ROWS), ("poisoned", poisoned)):
        (tmp_path / name).mkdir()
        trainer = trainer_of(defaults, tmp_path / name, rows, dropout=0.0, trust_dropout=0.0)
        files, known = trainer.course.files, trainer.course.catalogue
        trainer.tables = item_tables(known, torch.device("cpu"), eras(files, known, END_S, 3 * small.HOUR_S))
        trainer.model.eval()
        losses.append([trainer.loss(trainer.model, of) for of in trainer.course.examples(trainer.course.training, 0)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
