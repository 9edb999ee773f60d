"""`chronotope show USER`: what one user is interested in, and the lists that the night made for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from chronotope.cli.render import Grid, Reply
from chronotope.errors import UsageError
from chronotope.store.snapshot import Snapshot
from chronotope.store.sql import select

ANYBODY = "*"  # whose lists users without history get
MOST_NAMED = 10  # users listed when a name fits several
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Wanted:
    """Which lists to show: of one daypart, of one region, and how many at most, likeliest context first."""

    daypart: str | None = None
    region: str | None = None
    max_lists: int = 8
    max_terms: int = 12


def show(snapshot: Snapshot, names: Sequence[str], wanted: Wanted) -> Reply:
    """The interests and lists of some users.

    Raises:
        UsageError: when a name fits several users, there is no such daypart or region, or the night has no lists any
            more.
    """
    check_lists(snapshot)
    check_contexts(snapshot, wanted)
    profiles = [profile(snapshot, name, wanted) for name in names]
    return Reply({"night": snapshot.night, "users": profiles}, [block for p in profiles for block in blocks(p)])


def examples(snapshot: Snapshot, count: int) -> list[str]:
    """The users with the most events, `count` at most, ties by user_id."""
    sql = f"SELECT user_id FROM events GROUP BY user_id ORDER BY count(*) DESC, user_id LIMIT {count}"
    return [row["user_id"] for row in select(snapshot, sql).rows]


def check_lists(snapshot: Snapshot) -> None:
    """Refuse a night without lists: to say that nobody of a name is known there would be wrong.

    Raises:
        UsageError: saying what to do.
    """
    if not select(snapshot, "SELECT 1 FROM recommendations LIMIT 1").rows:
        raise UsageError(
            f"night {snapshot.night} has no lists (any more): `chronotope retain` drops those of older nights; give a "
            "later --night"
        )


def check_contexts(snapshot: Snapshot, wanted: Wanted) -> None:
    """Refuse a daypart or a region that no list of the night has.

    Raises:
        UsageError: naming some that there are.
    """
    for column, value in (("daypart", wanted.daypart), ("region", wanted.region)):
        if value is None:
            continue
        known = [row[column] for row in select(
            snapshot, f"SELECT DISTINCT {column} FROM recommendations ORDER BY {column}").rows]  # fmt: skip
        if value not in known:
            some = ", ".join(repr(name) for name in known[:MOST_NAMED]) or "none"
            raise UsageError(f"no list of night {snapshot.night} is for {column} {value!r}; there are {some}")


def find_user(snapshot: Snapshot, name: str) -> str | None:
    """The user_id that a name stands for, with or without the `source:` before it; None when nobody is called so.

    Raises:
        UsageError: when users of several sources have that name.
    """
    given = quoted(name)
    known = "SELECT user_id FROM interests UNION SELECT user_id FROM recommendations"
    fits = f"user_id = {given} OR substr(user_id, strpos(user_id, ':') + 1) = {given}"
    found = [row["user_id"] for row in select(
        snapshot, f"SELECT user_id FROM ({known}) WHERE {fits} ORDER BY user_id").rows]  # fmt: skip
    if name in found:
        return name
    if len(found) > 1:
        some = ", ".join(found[:MOST_NAMED])
        raise UsageError(f"{name!r} is the name of {len(found)} users; give one of {some}")
    return found[0] if found else None


def profile(snapshot: Snapshot, name: str, wanted: Wanted) -> dict[str, Any]:
    """What `show` tells about one user; without history it is what anybody gets."""
    user = find_user(snapshot, name)
    lists = lists_of(snapshot, user, wanted) if user else []
    of = user if lists else ANYBODY
    lists = lists or lists_of(snapshot, ANYBODY, wanted)
    return {
        "user_id": user or name,
        "known": user is not None,
        "lists_of": of,
        "model": snapshot.run["model"],
        "interests": interests_of(snapshot, user, wanted.max_terms) if user else {},
        "lists": lists[: wanted.max_lists],
        "lists_total": len(lists),
    }


def interests_of(snapshot: Snapshot, user: str, max_terms: int) -> dict[str, Rows]:
    """The heaviest terms of each horizon."""
    sql = f"SELECT horizon, terms FROM interests WHERE user_id = {quoted(user)} ORDER BY horizon"
    return {row["horizon"]: row["terms"][:max_terms] for row in select(snapshot, sql).rows}


def lists_of(snapshot: Snapshot, user: str, wanted: Wanted) -> Rows:
    """A user's lists, likeliest context first, then by daypart and region."""
    where = [f"r.user_id = {quoted(user)}"]
    if wanted.daypart is not None:
        where.append(f"r.daypart = {quoted(wanted.daypart)}")
    if wanted.region is not None:
        where.append(f"r.region = {quoted(wanted.region)}")
    rows = select(snapshot, LISTS.format(user=quoted(user), where=" AND ".join(where))).rows
    return [
        {"daypart": daypart, "region": region, "context_probability": probability, "items": [
            {key: row[key] for key in ("rank", "item_id", "title", "score", "reason", "parts")} for row in group
        ]}
        for (daypart, region, probability), group in groupby(
            rows, key=lambda row: (row["daypart"], row["region"], row["context_probability"]))
    ]  # fmt: skip


LISTS = """
SELECT r.daypart, r.region, f.context_probability, r."rank", r.item_id, i.title, r.score, r.reason, r.parts
FROM recommendations r
LEFT JOIN (
    SELECT daypart, region, max(context_probability) AS context_probability
    FROM forecasts WHERE user_id = {user} GROUP BY daypart, region
) f ON f.daypart = r.daypart AND f.region = r.region
LEFT JOIN items i ON i.item_id = r.item_id
WHERE {where}
ORDER BY f.context_probability DESC NULLS LAST, r.daypart, r.region, r."rank"
"""


def quoted(text: str) -> str:
    """Text as a SQL literal.

    >>> quoted("O'Hara")
    "'O''Hara'"
    """
    return "'" + text.replace("'", "''") + "'"


def blocks(profile: dict[str, Any]) -> list[str | Grid]:
    """A profile for people."""
    found: list[str | Grid] = [f"user {profile['user_id']} · model {profile['model'] or 'unknown'}"]
    if not profile["known"]:
        found.append("nobody of this name has a history here: these are the lists that anybody gets")
    elif profile["lists_of"] == ANYBODY:
        found.append("no list of their own for this: these are the lists that anybody gets")
    for horizon, terms in profile["interests"].items():
        found.append(f"  {horizon}: " + ", ".join(f"{term['term']} {term['weight']:.2f}" for term in terms))
    found += [list_grid(one) for one in profile["lists"]]
    hidden = profile["lists_total"] - len(profile["lists"])
    if hidden:
        found.append(f"{hidden:,} more lists: choose by --daypart and --region, or give --lists N")
    return [*found, ""]


def list_grid(one: dict[str, Any]) -> Grid:
    """One list for people."""
    likely = f" · {one['context_probability']:.0%} of their time" if one["context_probability"] is not None else ""
    place = one["region"] or "any region"
    rows = [[item["rank"], item["title"] or item["item_id"], item["score"], item["reason"]] for item in one["items"]]
    return Grid(f"{one['daypart']} · {place}{likely}", ["#", "item", "score", "why"], rows, frozenset({"#", "score"}))
