"""One model in training: passes over the examples, and the loss of a batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from chronotope.config import Settings
from chronotope.train.examples import Examples, Period, Sampling, before_in_session, examples
from chronotope.train.inputs import Batch, ItemTables, batch_of
from chronotope.train.loss import Candidates, backward, everything, sampled
from chronotope.train.memory import Whole, followers_before, memory
from chronotope.train.scoring import Catalogue
from chronotope.train.space_time import SpaceTime

MAX_GRADIENT = 1.0  # norm beyond which gradients are scaled down: long sequences explode otherwise
EPOCH_DECAY = 0.85  # of the learning rate after each epoch
SAMPLE_SHARE = 0.25  # of `train.exact_items`: candidates drawn where the softmax is sampled


@dataclass(frozen=True)
class Course:
    """Where the examples come from, and which are for training and which for validation."""

    files: Sequence[Path]
    catalogue: Catalogue
    settings: Settings
    training: Period
    validation: Period

    def examples(self, period: Period, seed: int) -> Iterator[Examples]:
        """The batches of one pass over a period."""
        train = self.settings.train
        sampling = Sampling(train.max_steps, train.batch_size, train.mask_previous)
        return examples(self.files, self.catalogue, period, sampling, seed)


class Trainer:
    """A model, its optimiser and the tables that it looks things up in."""

    def __init__(self, course: Course, model: SpaceTime, tables: ItemTables, seed: int) -> None:
        self.course, self.model, self.tables, self.seed = course, model, tables, seed
        self.device = tables.place.device
        self.draws = torch.Generator().manual_seed(seed)
        train = course.settings.train
        matrices = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": train.weight_decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=train.learning_rate)
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, EPOCH_DECAY)

    def train(self, epoch: int) -> float:
        """One pass over the training period; its mean loss, with dropout, while learning."""
        self.model.train()
        total, n = 0.0, 0
        for example in self.course.examples(self.course.training, self.seed + epoch):
            self.optimizer.zero_grad(set_to_none=True)
            total += self.loss(example) * len(example.truth)
            n += len(example.truth)
            nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT)
            self.optimizer.step()
        if n:
            self.schedule.step()
        return mean(total, n)

    @torch.no_grad()
    def validate(self) -> float:
        """The mean loss over the validation period; the same steps are hidden every time."""
        self.model.eval()
        total, n = 0.0, 0
        for example in self.course.examples(self.course.validation, self.seed):
            total += self.loss(example) * len(example.truth)
            n += len(example.truth)
        return mean(total, n)

    def loss(self, example: Examples) -> float:
        """The mean loss of a batch; under autograd its gradients are left in the model's parameters."""
        batch = batch_of(example.users, example.queries, self.tables, self.device)
        known = followers_before(batch, self.tables, self.whole(example))
        blocks = memory(batch, self.tables, self.model.half_lives_days, known)
        truth = torch.from_numpy(example.truth).to(self.device)
        vectors = self.model.vectors()
        answer = self.model.answer(batch, self.model.states(batch, vectors), vectors)
        return backward(answer, blocks, vectors, self.model.popular, truth, self.candidates(batch))

    def whole(self, example: Examples) -> Whole:
        """The whole histories of a batch, as tensors."""
        before = before_in_session(example.whole, self.course.settings.sessions.gap_s)
        arrays = (example.row, example.whole.item, before, example.whole.at_s)
        return Whole(*[torch.from_numpy(array).to(self.device) for array in arrays])

    def candidates(self, batch: Batch) -> Candidates:
        """All items; in training with too many of them a sample, with all items of the batch's histories."""
        n_items, limit = len(self.course.catalogue.item_ids), self.course.settings.train.exact_items
        if n_items <= limit or not torch.is_grad_enabled():
            return everything(n_items, self.device)
        certain = torch.unique(batch.own[batch.own >= 0])
        return sampled(self.model.popular.detach().exp(), certain, int(SAMPLE_SHARE * limit), self.draws)


def mean(total: float, n: int) -> float:
    """The mean, or NaN of nothing."""
    return total / n if n else float("nan")
