"""One sentence for people, from the parts that speak most for an item."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyarrow as pa

from chronotope.train.scoring import Bools, Doubles

# Part of the model: clause. {kind} is the item's category or its stand-in, {when} the daypart, {where} the region.
CLAUSES = {
    "interest": "{kind} suits your interests",
    "habit": "you come back to it often",
    "recent": "you chose it lately",
    "this_time": "you like it {when}",
    "taste": "{kind} is the kind of thing that you choose at such times",
    "next": "it often follows what you chose last",
    "near": "it is close to where you usually are",
    "popular": "it is popular {where}{when}",
}
NO_REASON = "It fits best among what is left."


def reasons(parts: Mapping[str, Doubles], category: pa.Array, daypart: pa.Array, placed: Bools) -> pa.Array:
    """A sentence per row from its one or two largest positive parts; ties by the parts' names.

    Args:
        parts: name to [R] values; at least one.
        category: [R] category of the item, dictionary-encoded; "" for none.
        daypart: [R] daypart of the list, dictionary-encoded.
        placed: [R] whether the list is for a region.
    """
    names = ["", *sorted(parts)]
    # The nameless part stands for zero: parts that are not above it sort behind it and are not mentioned.
    values = np.stack([np.zeros(len(placed)), *(parts[name] for name in names[1:])])  # [1 + parts, R]
    first, second = np.argsort(-values, axis=0, kind="stable")[:2]
    columns = (first, second, category.indices.to_numpy(), daypart.indices.to_numpy(), placed.astype(np.int64))
    sizes = (len(names), len(names), len(category.dictionary), len(daypart.dictionary), 2)
    # Rows share few distinct sentences, so each is written once and then taken by index.
    distinct, row = np.unique(np.ravel_multi_index(columns, sizes), return_inverse=True)
    kinds, whens = category.dictionary.to_pylist(), daypart.dictionary.to_pylist()
    written = [
        sentence(names[a], names[b], kinds[kind], whens[when], bool(here))
        for a, b, kind, when, here in np.column_stack(np.unravel_index(distinct, sizes)).tolist()
    ]
    return pa.array(written, pa.string()).take(pa.array(row))


@lru_cache(maxsize=100_000)
def sentence(first: str, second: str, category: str, daypart: str, placed: bool) -> str:
    """The sentence for the two parts that speak most for an item; "" where there is none.

    >>> sentence("habit", "popular", "Coffee Shop", "weekday_morning", True)
    'You come back to it often, and it is popular around here on weekday mornings.'
    >>> sentence("interest", "", "Coffee Shop", "weekday_morning", True)
    'Coffee Shop suits your interests.'
    """
    if not first:
        return NO_REASON
    text = ", and ".join(clause(part, category, daypart, placed) for part in (first, second) if part)
    return f"{text[0].upper()}{text[1:]}."


def clause(part: str, category: str, daypart: str, placed: bool) -> str:
    """What one part says of an item; a part that has no wording of its own is named.

    >>> clause("fresh_stock", "", "weekend_day", False)
    'the model values its fresh stock'
    """
    wording = CLAUSES.get(part, f"the model values its {part.replace('_', ' ')}")
    when = f"on {daypart.replace('_', ' ').removesuffix('s')}s"
    return wording.format(kind=category or "it", when=when, where="around here " if placed else "")
