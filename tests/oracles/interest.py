"""Interest by the formulas of DESIGN.md section 3, with dictionaries and loops."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

DAY_S = 86_400


def term_sums(events, terms_of_item, action_weights, half_lives_days, end):
    """{user: {horizon: {term: weight}}}; events are dicts, `terms_of_item` maps item ids and queries to term lists."""
    sums = defaultdict(lambda: {horizon: defaultdict(float) for horizon in half_lives_days})
    for event in events:
        age_s = (end - event["occurred_at"]).total_seconds()
        for key in (event.get("item_id"), event.get("query")):
            terms = terms_of_item.get(key) or []
            for term, count in Counter(terms).items() if age_s > 0 else ():
                for horizon, days in half_lives_days.items():
                    kept = 2 ** (-age_s / (days * DAY_S))
                    weight = action_weights.get(event["action"], 1.0) * count / len(terms) * kept
                    sums[event["user_id"]][horizon][term] += weight
    return {user: {horizon: dict(weights) for horizon, weights in both.items()} for user, both in sums.items()}


def idf(documents, kind):
    """({term: (document frequency, idf)}, idf of an unseen term) of a list of term lists."""
    documents = [set(terms) for terms in documents if terms]
    n = len(documents)
    df = Counter(term for terms in documents for term in terms)

    def of(count):
        if kind == "smooth":
            return math.log((1 + n) / (1 + count)) + 1
        return math.log(max(n, 1) / max(count, 1))

    return {term: (count, of(count)) for term, count in df.items()}, of(0)


def vector(sums, idf_of_term, unseen, max_terms=None):
    """[(term, weight)] with L2 norm 1 before the cut, heaviest first, ties by term."""
    weights = {term: weight * idf_of_term.get(term, (0, unseen))[1] for term, weight in sums.items()}
    norm = math.sqrt(sum(weight**2 for weight in weights.values()))
    shares = [(term, weight / norm) for term, weight in weights.items() if norm and weight > 0]
    return sorted(shares, key=lambda pair: (-round(pair[1], 9), pair[0]))[:max_terms]
