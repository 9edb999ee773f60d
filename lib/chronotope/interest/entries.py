"""A sparse matrix of users and terms as whole columns, summed in one pass over Arrow batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
HORIZONS = ("long", "short")


# Shapes: U users, V terms, E entries, H = 2 horizons (long, short).
@dataclass(frozen=True)
class Entries:
    """Entries of a users by terms matrix, one weight per horizon; `summed` ones are sorted and have no repeats."""

    users: pa.Array  # U user ids, distinct
    terms: pa.Array  # V terms, distinct
    user: Ints  # [E] index into users
    term: Ints  # [E] index into terms
    weights: Floats  # [H, E]

    def starts(self) -> Ints:
        """[U + 1] where each user's entries begin and the last one's end; for entries sorted by user."""
        return np.searchsorted(self.user, np.arange(len(self.users) + 1))

    def users_from(self, first: int) -> Entries:
        """Those of the users from `first` on, without the terms that only others have; for entries sorted by user."""
        kept = slice(int(np.searchsorted(self.user, first)), None)
        used, term = np.unique(self.term[kept], return_inverse=True)
        terms = self.terms.take(pa.array(used))
        return Entries(self.users[first:], terms, self.user[kept] - first, term, self.weights[:, kept])

    def users_before(self, end: int) -> Entries:
        """Those of the users before `end`; for entries sorted by user."""
        kept = slice(int(np.searchsorted(self.user, end)))
        return Entries(self.users[:end], self.terms, self.user[kept], self.term[kept], self.weights[:, kept])


def entries_of(users: pa.Array, lengths: Ints, terms: pa.Array, weights: Floats) -> Entries:
    """Entries of rows that each have one user and `lengths` of the terms [E] and weights [H, E]."""
    owners, flat = users.dictionary_encode(), terms.dictionary_encode()
    user = np.repeat(indices(owners), lengths)
    return Entries(owners.dictionary, flat.dictionary, user, indices(flat), weights)


def terms_in(joined: pa.Array) -> pa.ListArray:
    """The terms of strings in which they are joined by spaces."""
    return pc.ascii_split_whitespace(joined)  # takes two thirds of what splitting at a pattern does


def lengths_of(lists: pa.ListArray) -> Ints:
    """The length of each list of a column without nulls."""
    return np.asarray(pc.list_value_length(lists).to_numpy(zero_copy_only=False), np.int64)


def summed(parts: list[Entries]) -> Entries:
    """All parts in one, each user and term once: users in order of appearance, their terms by code point."""
    users, new_users = merged([part.users for part in parts])
    terms, new_terms = merged([part.terms for part in parts])
    order = pc.sort_indices(terms)
    rank = np.empty(len(order), np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    user = np.concatenate([new[part.user] for part, new in zip(parts, new_users, strict=True)])
    term = np.concatenate([rank[new][part.term] for part, new in zip(parts, new_terms, strict=True)])
    weights = np.concatenate([part.weights for part in parts], axis=1)
    key = user * len(terms) + term
    if (key[1:] > key[:-1]).all():  # as the sums of one night come
        return Entries(users, terms.take(order), user, term, weights)
    key, by_key = stable_sort(key, len(users) * len(terms))
    first = first_of_each(key)
    user, term = np.divmod(key[first], len(terms))
    return Entries(users, terms.take(order), user, term, np.add.reduceat(weights[:, by_key], first, axis=1))


def sums_by_user(batches: Iterable[pa.RecordBatch], read: Callable[[pa.RecordBatch], Entries]) -> Iterator[Entries]:
    """The summed entries of whole users, from batches whose rows are sorted by user.

    The last user of a batch may go on in the next one and is held back, as sums and not as rows: a user with a million
    events takes no more memory than their distinct terms.
    """
    held: list[Entries] = []
    for batch in batches:
        if batch.num_rows:
            entries = summed([*held, read(batch)])
            last = len(entries.users) - 1
            if last:
                yield entries.users_before(last)
            held = [entries.users_from(last)]
    yield from held


def first_of_each(keys: Ints) -> Ints:
    """Where each value of sorted, non-negative keys comes first."""
    return np.flatnonzero(np.diff(keys, prepend=-1))


def stable_sort(keys: Ints, end: int) -> tuple[Ints, Ints]:
    """Keys from 0 to before `end` in ascending order, and where each of them was; equal ones stay in their order.

    Each key is sorted with its position in its lower bits, for numpy sorts numbers five times as fast as positions.
    """
    bits = len(keys).bit_length()
    if end.bit_length() + bits < 64:
        packed = np.sort(keys << bits | np.arange(len(keys)))
        return packed >> bits, packed & ((1 << bits) - 1)
    order = np.argsort(keys, kind="stable")
    return keys[order], order


def merged(dictionaries: list[pa.Array]) -> tuple[pa.Array, list[Ints]]:
    """One dictionary for several, and the new codes of each one's values."""
    encoded = pa.concat_arrays(dictionaries).dictionary_encode()
    ends = np.cumsum([len(dictionary) for dictionary in dictionaries])
    return encoded.dictionary, np.split(indices(encoded), ends[:-1])


def with_column(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    """The batch with one column more, which record batches of pyarrow 14 cannot take up by themselves."""
    return pa.RecordBatch.from_arrays([*batch.columns, values], [*batch.schema.names, name])


def indices(encoded: pa.DictionaryArray) -> Ints:
    """The codes of a dictionary-encoded column without nulls."""
    return np.asarray(encoded.indices.to_numpy(), np.int64)
