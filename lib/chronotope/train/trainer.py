"""One model in training: passes over the examples, and the loss of a batch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from chronotope.config import Settings, TrainSettings
from chronotope.train.examples import Examples, Period, Sampling, examples
from chronotope.train.inputs import Batch, batch_of
from chronotope.train.loading import Loader, load_parquet
from chronotope.train.loss import Candidates, Penalties, backward, everything, sampled
from chronotope.train.memory import Memory
from chronotope.train.moments import foreseen, own_gaps, surprise
from chronotope.train.scoring import Catalogue
from chronotope.train.space_time import SpaceTime
from chronotope.train.tables import ItemTables

MAX_GRADIENT = 1.0  # norm beyond which gradients are scaled down: long sequences explode otherwise
AVERAGED_STEPS = 100  # over about so many steps weights are averaged: what is kept does not jitter with the last batch
MEASURED_BATCHES = 8
VALIDATED_BATCHES = 400  # of 256 queries, as they are by default: a loss over 100,000 is sure enough to compare epochs
SAMPLE_SHARE = 0.25  # of `train.exact_items`: candidates drawn where the softmax is sampled


@dataclass(frozen=True)
class Course:
    """Where the examples come from, and which are for training and which for validation."""

    files: Sequence[Path]
    catalogue: Catalogue
    settings: Settings
    training: Period
    validation: Period
    load: Loader = load_parquet

    def examples(self, period: Period, seed: int) -> Iterator[Examples]:
        """The batches of one pass over a period."""
        train = self.settings.train
        sampling = Sampling(train.max_steps, train.batch_size, train.mask_previous, train.mask_lately, train.repeats)
        return examples(self.files, self.catalogue, period, sampling, seed, self.load)


class Trainer:
    """A model, its optimiser and the tables that it looks things up in."""

    def __init__(self, course: Course, model: SpaceTime, tables: ItemTables, seed: int) -> None:
        self.course, self.model, self.tables, self.seed = course, model, tables, seed
        self.device = tables.place.device
        self.draws = torch.Generator().manual_seed(seed)
        train = course.settings.train
        self.optimizer = torch.optim.AdamW(groups(model, train))
        of_moments = list(model.moments.parameters())
        # Clipped apart, for in one norm the gradients of the moments would scale those of the model.
        self.apart = [of_moments, others(model, of_moments)]
        self.averaged = AveragedModel(model, multi_avg_fn=move_average, use_buffers=True)
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, train.rate_decay)

    def train(self, epoch: int, ends: float = math.inf) -> float:
        """One pass over the training period; its mean loss, with dropout, while learning.

        At `ends`, a time of `time.monotonic`, it is over: users whose files are `histories.in_no_order` stand for all.
        """
        self.model.train()
        total, n = 0.0, 0
        for example in self.course.examples(self.course.training, self.seed + epoch):
            self.optimizer.zero_grad(set_to_none=True)
            total += self.loss(self.model, example) * len(example.truth)
            n += len(example.truth)
            for parameters in self.apart:
                nn.utils.clip_grad_norm_(parameters, MAX_GRADIENT)
            self.optimizer.step()
            self.averaged.update_parameters(self.model)
            if time.monotonic() >= ends:
                break
        if n:
            self.schedule.step()
        return mean(total, n)

    @torch.no_grad()
    def validate(self) -> float:
        """The averaged model's mean loss over the validation period; the same steps are hidden every time.

        Of a large log it is over the same `VALIDATED_BATCHES` every time.
        """
        total, n = 0.0, 0
        for example in islice(self.course.examples(self.course.validation, self.seed), VALIDATED_BATCHES):
            total += self.loss(self.kept, example) * len(example.truth)
            n += len(example.truth)
        return mean(total, n)

    def measure(self) -> None:
        """Show the model the scale of the memory features, on some batches."""
        some = islice(self.course.examples(self.course.training, self.seed), MEASURED_BATCHES)
        known = [self.model.remember(self.whole_of(example), self.tables) for example in some]
        if known:
            every = [each.features(torch.arange(len(each.item), device=self.device)) for each in known]
            self.model.trust.measure(torch.cat(every))

    @property
    def kept(self) -> SpaceTime:
        """The model with averaged weights: the one that is validated and kept."""
        return cast(SpaceTime, self.averaged.module.eval())

    def loss(self, model: SpaceTime, example: Examples) -> float:
        """The mean loss of a batch; under autograd its gradients are left in the model's parameters.

        What the moments learn from leaves gradients, too, but is not in the loss.
        """
        train = self.course.settings.train
        batch = batch_of(example.users, example.queries, self.tables, self.device)
        whole = self.whole_of(example)
        known = model.remember(whole, self.tables)
        ahead = example.later if train.ahead_share else example.later[:, :0]
        truth, later = (torch.from_numpy(items).to(self.device) for items in (example.truth, ahead))
        vectors = model.vectors()
        states = model.states(batch, vectors)
        answer = model.answer(batch, states, vectors, known)
        asked = foreseen(batch)
        if torch.is_grad_enabled() and len(asked):  # none is where there is no clock
            log_p = model.gaps(batch.asking(asked), states[asked], own_gaps(whole.asking(asked)))
            torch.autograd.backward([surprise(log_p, batch.asking(asked))])
        penalties = Penalties(train.label_smoothing, train.kl_weight, train.ahead_share)
        biases, era = model.biases(self.tables), self.tables.eras(batch.asked_s)
        candidates = self.candidates(known, truth, later)
        return backward(answer, known, vectors, biases, era, truth, candidates, penalties, later)

    def whole_of(self, example: Examples) -> Batch:
        """The queries over whole histories, not only the windows of them."""
        return batch_of(example.whole, example.of_whole, self.tables, self.device)

    def candidates(self, known: Memory, truth: Tensor, later: Tensor) -> Candidates:
        """All items; in training with too many of them a sample.

        The truths, what is `later` than they are, and all that memory speaks of are in it.
        """
        n_items, limit = len(self.course.catalogue.item_ids), self.course.settings.train.exact_items
        if n_items <= limit or not torch.is_grad_enabled():
            return everything(n_items, self.device)
        certain = torch.unique(torch.cat([known.item, truth, later[later >= 0]]))
        return sampled(self.tables.log_share[-1].exp(), certain, int(SAMPLE_SHARE * limit), self.draws)


def mean(total: float, n: int) -> float:
    """The mean, or NaN of nothing."""
    return total / n if n else float("nan")


@torch.no_grad()
def move_average(averaged: Sequence[Tensor], current: Sequence[Tensor], n_averaged: Tensor | int) -> None:
    """Move exponential averages towards the current weights, in place; what is counted in integers is taken over.

    They are over `AVERAGED_STEPS`, and over a ninth of the steps so far while those are few: of a small log, which has
    not many, the weights of the beginning would weigh most.
    """
    share = max(1 / AVERAGED_STEPS, 9 / (9 + int(n_averaged)))
    for average, now in zip(averaged, current, strict=True):
        if average.is_floating_point():
            average.lerp_(now, share)
        else:
            average.copy_(now)


def groups(model: SpaceTime, train: TrainSettings) -> list[dict[str, Any]]:
    """The parameters with their rates: those that weigh what was counted, the others; of each the matrices decay."""
    of_trust = [*model.trust.parameters(), *model.moments.parameters()]
    rates = [
        (of_trust, train.trust_learning_rate, train.trust_weight_decay),
        (others(model, of_trust), train.learning_rate, train.weight_decay),
    ]
    return [
        {"params": [p for p in parameters if (p.dim() > 1) == matrices], "lr": rate, "weight_decay": decay * matrices}
        for parameters, rate, decay in rates
        for matrices in (True, False)
    ]


def others(model: nn.Module, parameters: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """The model's parameters without these."""
    its = {id(parameter) for parameter in parameters}
    return [parameter for parameter in model.parameters() if id(parameter) not in its]
