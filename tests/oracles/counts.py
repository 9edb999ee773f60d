"""The count features in plain Python: one query, one item, one loop over the steps."""

from __future__ import annotations

import math


def features(catalogue, users, queries, q: int, item: int) -> dict[str, float]:
    user, known, at_s, slot = (int(queries.user[q]), int(queries.known_steps[q]), queries.at_s[q], int(queries.slot[q]))
    if slot < 0 and known:
        slot = int(users.slot[user, known - 1])
    items = [int(i) for i in users.item[user][:known]]
    steps = [s for s in range(known) if items[s] == item]
    previous = items[-1] if queries.previous_known[q] and known else -1

    def age_days(s):
        return max(at_s - users.at_s[user, s], 0) / 86400

    def alike(s):
        other = int(users.slot[user, s])
        if slot < 0 or other < 0:
            return 0.0
        hours = min((slot - other) % 24, (other - slot) % 24)
        return math.exp(-(hours**2) / 2) * (1 if (slot // 24 >= 5) == (other // 24 >= 5) else 0.3)

    def after_same(s):
        return float(s > 0 and previous >= 0 and items[s - 1] == previous)

    def logarithm(values):
        return math.log(1 + sum(values) / 0.1)

    def daypart(of: int):
        return int(catalogue.daypart_of_slot[of]) if of >= 0 else None

    return {
        "popular_overall": popular(catalogue, item, None, None),
        "popular_here": popular(catalogue, item, daypart(slot), int(queries.region[q])),
        "trending": as_popular(catalogue.trending.tolist(), item),
        "frequency": logarithm(1 for _ in steps),
        "recent_6h": logarithm(0.5 ** (age_days(s) / 0.25) for s in steps),
        "recent_7d": logarithm(0.5 ** (age_days(s) / 7) for s in steps),
        "recent_30d": logarithm(0.5 ** (age_days(s) / 30) for s in steps),
        "last": float(known > 0 and items[-1] == item),
        "same_daypart": logarithm(slot >= 0 and daypart(users.slot[user, s]) == daypart(slot) for s in steps),
        "same_hour": logarithm(alike(s) for s in steps),
        "own_next": logarithm(after_same(s) for s in steps),
        "own_next_hour": logarithm(after_same(s) * alike(s) for s in steps),
        "all_next": logarithm([catalogue.transitions[previous, item]]) if previous >= 0 else 0.0,
        "near": near(catalogue, users, queries, q, item),
    }


def popular(catalogue, item: int, daypart: int | None, region: int | None) -> float:
    table = catalogue.popularity.toarray().tolist()
    n_dayparts, n_items = len(catalogue.dayparts), len(catalogue.item_ids)
    overall = [sum(table[d][i] for d in range(n_dayparts)) for i in range(n_items)]
    share = shares(overall)
    rows = [] if daypart is None else [table[daypart]]
    if daypart is not None and region is not None and region >= 0:
        rows.append(table[(1 + region) * n_dayparts + daypart])
    for row in rows:
        share = [(n + 100 * wider) / (sum(row) + 100) for n, wider in zip(row, share, strict=True)]
    return math.log(1 + n_items * share[item]) / math.log(1 + n_items)


def shares(events):
    return [(n + 1 / len(events)) / (sum(events) + 1) for n in events]


def as_popular(events, item: int) -> float:
    return math.log(1 + len(events) * shares(events)[item]) / math.log(1 + len(events))


def near(catalogue, users, queries, q: int, item: int) -> float:
    user, known = int(queries.user[q]), int(queries.known_steps[q])
    if not queries.previous_known[q] or not known:
        return 0.0
    here = (users.lat[user, known - 1], users.lon[user, known - 1])
    at_item = users.item[user, known - 1]
    if math.isnan(sum(here)) and at_item >= 0:
        here = (catalogue.lat[at_item], catalogue.lon[at_item])
    metres = {
        i: haversine_m(*here, catalogue.lat[i], catalogue.lon[i])
        for i in range(len(catalogue.item_ids))
        if not math.isnan(catalogue.lat[i] + catalogue.lon[i] + sum(here))
    }
    nearest = sorted(metres, key=metres.get)[:64]
    return math.exp(-metres[item] / 500) if item in nearest else 0.0


def haversine_m(lat, lon, to_lat, to_lon):
    a, b = math.radians(lat), math.radians(to_lat)
    half = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(math.radians(to_lon - lon) / 2) ** 2
    return 2 * 6_371_008.8 * math.asin(math.sqrt(half))
