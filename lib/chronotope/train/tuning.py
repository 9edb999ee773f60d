"""The weights of the count model, by seeded random search on queries from the last days before the held-out tail.

Letters: Q queries, N items, L steps, F features.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from chronotope.evaluate.ranking import ranks_of
from chronotope.train.barred import NEVER
from chronotope.train.blend import KINDS, START, CountBlend
from chronotope.train.counts import AFTER_PREVIOUS, FEATURES, Evidence
from chronotope.train.known import known_before, met_pairs, midnight_s, taken
from chronotope.train.scoring import Catalogue, Doubles, Floats, Ints, Queries, Users

DRAWS = 200  # blends tried per kind of query
FREE_DRAWS = 20  # of which far from the start, to leave its valley; the others vary the best so far
MAX_QUERIES = 500  # per kind: the standard error of their MRR is about 0.02, and a draw takes milliseconds
SIGNED = ("recent_6h", "last")  # what was just met may be wanted again (songs) or done with (meals)
MAY_BE_NEGATIVE = np.isin(FEATURES, SIGNED)
SCALES = (1e-2, 1e2)  # between which the scale of the scores is looked for


def tune(
    catalogue: Catalogue,
    users: Users,
    queries: Queries,
    truths: Ints,
    seed: int,
    model_id: str = "counts",
    repeats: bool = True,
) -> CountBlend:
    """The blend with the best mean reciprocal rank on the queries, scaled so that its softmax is a probability.

    Weights are drawn at random (Bergstra and Bengio, "Random search for hyper-parameter optimization", JMLR 13
    (2012)), first widely, then around the best so far; each kind of query is tuned apart. The ranking does not
    depend on the scale of the weights, so one factor is then chosen by likelihood (temperature scaling: Guo et al.,
    "On calibration of modern neural networks", ICML 2017). The catalogue must have been counted before the queries.

    Args:
        catalogue: its counts end before the first query.
        users: a batch of histories.
        queries: of both kinds; a kind without queries keeps the weights of `START`.
        truths: [Q] columns of the items that followed; queries with -1 say nothing about weights and are left out.
        seed: another one tries other weights.
        model_id: the scorer's name.
        repeats: whether items that the user has met are candidates, and coming back to them is something to learn.

    """
    start = CountBlend(catalogue, dict.fromkeys(KINDS, START))
    truths = truths if repeats else without_met(users, queries, truths)
    weights = {}
    for kind, known in zip(KINDS, (False, True), strict=True):
        chosen = np.flatnonzero((queries.previous_known == known) & (truths >= 0))[:MAX_QUERIES]
        lesson = Lesson.of(start, users, taken(queries, chosen), truths[chosen], repeats)
        best = search(lesson, np.random.default_rng([seed, known])) if len(chosen) else vector()
        told = [feature for feature in FEATURES if known or feature not in AFTER_PREVIOUS]
        weights[kind] = {f: round(float(best[FEATURES.index(f)]), 6) for f in told if best[FEATURES.index(f)]}
    return CountBlend(catalogue, weights, model_id, repeats)


def without_met(users: Users, queries: Queries, truths: Ints) -> Ints:
    """The truths [Q], -1 for those that the user is known to have met before."""
    query, item = met_pairs(users, queries)
    fresh = truths.copy()
    fresh[query[item == truths[query]]] = -1
    return fresh


@dataclass(frozen=True)
class Lesson:
    """Queries with what counting says of them, and the items that followed."""

    evidence: Evidence
    truths: Ints  # [Q]
    barred: tuple[Ints, Ints]  # queries and items that are no candidates of theirs

    @classmethod
    def of(cls, counting: CountBlend, users: Users, queries: Queries, truths: Ints, repeats: bool) -> Lesson:
        """The queries [Q], in which met items are candidates only where people come back to items."""
        none = np.empty(0, np.int64)
        return cls(counting.evidence(users, queries), truths, (none, none) if repeats else met_pairs(users, queries))

    def scores(self, weights: Floats) -> Floats:
        """The scores [Q, N] under weights [F]."""
        scores = self.evidence.scores(np.broadcast_to(weights, (len(self.truths), len(weights))))
        scores[self.barred] = NEVER
        return scores

    def mrr(self, weights: Floats) -> float:
        """Mean reciprocal rank of the truths under weights [F]."""
        return float(np.mean(1 / ranks_of(self.scores(weights), self.truths)))


def search(lesson: Lesson, random: np.random.Generator) -> Floats:
    """The best weights of `DRAWS` for the mean reciprocal rank of the truths, scaled by likelihood: [F]."""
    best = vector()
    best_mrr = lesson.mrr(best)
    for draw in range(1, DRAWS):
        weights = jump(random) if draw <= FREE_DRAWS else step(best, random)
        found = lesson.mrr(weights)
        if found > best_mrr:
            best, best_mrr = weights, found
    return best * np.float32(scale(lesson.scores(best), lesson.truths))


def vector() -> Floats:
    """The weights of `START` in the order of `FEATURES`, [F]."""
    return np.array([START.get(feature, 0.0) for feature in FEATURES], dtype=np.float32)


def jump(random: np.random.Generator) -> Floats:
    """Weights far from each other: each feature in with even chance, over three orders of magnitude: [F]."""
    weights = np.exp(random.normal(0, 1.5, len(FEATURES))) * (random.random(len(FEATURES)) < 0.5)
    return with_popularity(np.where(MAY_BE_NEGATIVE & (random.random(len(FEATURES)) < 0.5), -weights, weights))


def step(weights: Floats, random: np.random.Generator) -> Floats:
    """Weights near the given ones: four in ten change by about half, come, go or, where they may, change sign: [F]."""
    n = len(FEATURES)
    changed = weights * np.exp(random.normal(0, 0.5, n))
    changed = np.where((weights == 0) & (random.random(n) < 0.3), random.uniform(0, 0.5, n), changed)
    changed = np.where(random.random(n) < 0.05, 0, changed)
    changed = np.where(MAY_BE_NEGATIVE & (random.random(n) < 0.3), weights + random.normal(0, 0.5, n), changed)
    return with_popularity(np.where(random.random(n) < 0.4, changed, weights))


def with_popularity(weights: Doubles) -> Floats:
    """The weights with some popularity at least, so that items without any other evidence are ranked: [F]."""
    weights[0] = max(weights[0], 0.01)
    return weights.astype(np.float32)


def scale(scores: Floats, truths: Ints) -> float:
    """The factor of the scores [Q, N] under which their softmax gives the truths the most likelihood.

    The likelihood is concave in the factor, so a bounded search on its logarithm finds the only optimum.
    """
    truth = scores[np.arange(len(truths)), truths]

    def loss(log_scale: float) -> float:
        factor = np.float32(np.exp(log_scale))
        return float(np.mean(logsumexp(factor * scores, axis=1) - factor * truth))

    return float(np.exp(minimize_scalar(loss, bounds=np.log(SCALES), method="bounded", options={"xatol": 0.01}).x))


def last_queries(
    users: Users, from_s: float, time_zone: str, seed: int, max_queries: int = MAX_QUERIES
) -> tuple[Queries, Ints]:
    """What `tune` needs: a sample of the users' steps from `from_s` on, each asked as both kinds, and the truths.

    As `next` a step is asked with all earlier ones, as `morning` with those before the midnight before it.

    Args:
        users: a batch of histories that ends before the tail.
        from_s: epoch seconds; the catalogue's cut.
        time_zone: on whose midnight a night ends.
        seed: another one samples other steps.
        max_queries: steps sampled.

    """
    real = np.arange(users.item.shape[1]) < users.length[:, None]
    user, at = np.nonzero(real & (users.item >= 0) & (users.at_s >= from_s))
    sample = np.sort(np.random.default_rng(seed).permutation(len(user))[:max_queries])
    user, at = user[sample], at[sample]
    at_s = users.at_s[user, at]
    night = known_before(users, user, midnight_s(at_s, time_zone))
    both = np.concatenate([user, user])
    queries = Queries(
        user=both,
        known_steps=np.concatenate([known_before(users, user, at_s), night]),
        at_s=np.concatenate([at_s, at_s]),
        slot=np.concatenate([users.slot[user, at]] * 2),
        region=np.full(len(both), -1, dtype=np.int64),
        previous_known=np.arange(len(both)) < len(user),
    )
    return queries, np.concatenate([users.item[user, at]] * 2)
