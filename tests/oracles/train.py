"""Plain Python twins of stage train: kernels, memory features, counts by moment and decayed means, step by step.

A step is a dict of item, at_s, slot, region, gap_s and place; what is unknown is None. A query is a dict of known,
hidden (a range of steps), at_s, slot, region and told (whether the last known step is the one just before).
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from chronotope.train.kernels import AGE_DAYS, AGE_STEPS, HOURS
from chronotope.train.memory import FOLLOWED_DECAY, FOLLOWED_STEPS

DAY_S = 86_400.0


def point(lat, lon):
    """Metres from the centre of the Earth."""
    if math.isnan(lat + lon):
        return None
    phi, lam = math.radians(lat), math.radians(lon)
    return [6_371_008.8 * x for x in (math.cos(phi) * math.cos(lam), math.cos(phi) * math.sin(lam), math.sin(phi))]


def steps_of(users, row, catalogue):
    """The steps of one user of a batch."""
    steps = []
    for step in range(users.length[row]):
        item, gap_s = int(users.item[row, step]), float(users.gap_s[row, step])
        place = point(users.lat[row, step], users.lon[row, step])
        if place is None and item >= 0:
            place = point(catalogue.lat[item], catalogue.lon[item])
        steps.append({
            "item": item if item >= 0 else None, "at_s": float(users.at_s[row, step]), "place": place,
            "slot": none_below_zero(users.slot[row, step]), "region": none_below_zero(users.region[row, step]),
            "gap_s": None if math.isnan(gap_s) else gap_s,
        })  # fmt: skip
    return steps


def query_of(queries, q, steps):
    """One query; where its time is not told it is asked at the slot of its last known step."""
    known, slot = int(queries.known_steps[q]), none_below_zero(queries.slot[q])
    if slot is None and known:
        slot = steps[known - 1]["slot"]
    return {
        "known": known, "at_s": float(queries.at_s[q]), "slot": slot, "region": none_below_zero(queries.region[q]),
        "told": bool(queries.previous_known[q]) and known > 0,
        "hidden": range(queries.hidden_from[q], queries.hidden_to[q]) if queries.hidden_to is not None else range(0),
    }  # fmt: skip


def none_below_zero(number):
    return int(number) if number >= 0 else None


def usable(query):
    """The steps that a query knows."""
    return [s for s in range(query["known"]) if s not in query["hidden"]]


def clock(slot, at_s):
    return None if slot is None else slot + at_s % 3600 / 3600


def bell(apart, width):
    return math.exp(-0.5 * (apart / width) ** 2)


def around(a, b, period):
    return min(abs(a - b) % period, period - abs(a - b) % period)


def follows(steps, s):
    return s > 0 and steps[s]["gap_s"] is not None and steps[s]["gap_s"] <= DAY_S


def before(steps, s):
    return steps[s - 1]["item"] if follows(steps, s) else None


def kernels(steps, query):
    """Kernel to its value for each of the steps that the query knows and that have an item: name to {step: value}."""
    found = defaultdict(dict)
    for s in usable(query):
        if steps[s]["item"] is not None:
            values = by_age(steps, query, s) | by_hour(steps, query, s)
            values |= by_step_before(steps, query, s, values)
            for name, value in values.items():
                found[name][s] = float(value)
    return found


def by_age(steps, query, s):
    days = max(0.0, query["at_s"] - steps[s]["at_s"]) / DAY_S
    ago = sum(later > s for later in usable(query))
    return {
        "count": 1.0,
        **{f"age_{half:g}d": 2 ** (-days / half) for half in AGE_DAYS},
        **{f"age_{half:g}_steps": 2 ** (-ago / half) for half in AGE_STEPS},
    }


def by_hour(steps, query, s):
    asked, own = clock(query["slot"], query["at_s"]), clock(steps[s]["slot"], steps[s]["at_s"])
    names = [*(f"hour_{width:g}h" for width in HOURS), "weekday", "hour_lately"]
    if asked is None or own is None:
        return dict.fromkeys(names, 0.0)
    alike = 1.0 if (asked >= 120) == (own >= 120) else 0.3
    hour = [alike * bell(around(asked, own, 24), width) for width in HOURS]
    fading = 2 ** (-max(0.0, query["at_s"] - steps[s]["at_s"]) / DAY_S / 14)
    return dict(zip(names, [*hour, (asked // 24 == own // 24) * hour[2], hour[1] * fading], strict=True))


def by_step_before(steps, query, s, hours):
    last = query["known"] - 1
    previous = steps[last]["item"] if query["told"] else None
    told = previous is not None
    after = told and before(steps, s) == previous
    near = told and nearness(steps, s, last)
    gap = told and steps[s]["gap_s"] is not None and gap_kernel(query["at_s"] - steps[last]["at_s"], steps[s]["gap_s"])
    return {
        "after": after,
        "after_gap": after * gap,
        "hour_gap": hours["hour_1h"] * gap,
        "after_near": near,
        "after_near_hour": near * hours["hour_1h"],
        "region": query["region"] is not None and steps[s]["region"] == query["region"],
    }


def nearness(steps, s, last):
    if not follows(steps, s) or steps[s - 1]["place"] is None or steps[last]["place"] is None:
        return 0.0
    return math.exp(-math.dist(steps[s - 1]["place"], steps[last]["place"]) / 500)


def gap_kernel(asked_s, gap_s):
    return bell(math.log(max(60.0, asked_s)) - math.log(max(60.0, gap_s)), 0.7)


def personal(steps, query, category, items):
    """The features of items that are sums over the user's own steps: item to {feature: value}."""
    values = kernels(steps, query)
    sums = {name: Counter() for name in values}
    for name, of_steps in values.items():
        for s, value in of_steps.items():
            sums[name][steps[s]["item"]] += value
    found = {item: {} for item in items}
    for item, features in found.items():
        met = [s for s in usable(query) if steps[s]["item"] == item]
        features["seen"] = float(bool(met))
        hours = min((max(0.0, query["at_s"] - steps[s]["at_s"]) / 3600 for s in met), default=0.0)
        features["hours_ago"] = math.log1p(hours) if met else 0.0
        for name, of_items in sums.items():
            total = max(sum(of_items.values()), 1e-6)
            of_kind = sum(x for other, x in of_items.items() if category[other] == category[item])
            features[f"{name}_sum"] = math.log1p(of_items[item] / 0.1)
            features[f"{name}_share"] = math.log1p(20 * of_items[item] / total)
            features[f"category_{name}"] = math.log1p(20 * of_kind / total)
    return found


def everybody(steps, query, catalogue, item):
    """The features of an item that come from everybody's counts."""
    n_dayparts = len(catalogue.dayparts)
    events = catalogue.popularity[:n_dayparts].toarray().T.tolist()  # item by daypart
    every = sum(sum(row) + 1 / 3 for row in events)
    daypart = None if query["slot"] is None else int(catalogue.daypart_of_slot[query["slot"]])
    previous = steps[query["known"] - 1]["item"] if query["told"] else None
    region = query["region"]
    found = {
        "popular": math.log((sum(events[item]) + 1 / 3) / every),
        "popular_daypart": 0.0 if daypart is None else log_daypart(events, catalogue.categories, item, daypart),
        "in_region": float(region is not None and catalogue.region[item] == region),
        **visits(events, catalogue, item),
        "trending": math.log((catalogue.trending[item] + 1 / 3) / sum(n + 1 / 3 for n in catalogue.trending.tolist())),
    }
    after = catalogue.transitions.toarray()
    weighed = [(FOLLOWED_DECAY**turn * after[last][item], after[last].sum()) for turn, last in last_items(steps, query)]
    found["following_lately"] = math.log1p(20 * sum(times / (leaves + 1) for times, leaves in weighed))
    found["following_sum"] = math.log1p(sum(times for times, _ in weighed))
    if previous is None:
        return found | dict.fromkeys(TOLD, 0.0)
    there, here = point(catalogue.lat[item], catalogue.lon[item]), steps[query["known"] - 1]["place"]
    metres = math.inf if there is None or here is None else math.dist(there, here)
    return found | {
        "following": math.log1p(after[previous][item]),
        "following_share": math.log1p(20 * after[previous][item] / (after[previous].sum() + 1)),
        "distance": 0.0 if metres == math.inf else math.log1p(metres / 100),
    }


def last_items(steps, query):
    """The items of the last steps, where the query may know those, and how many steps came after each."""
    turns = [turn for turn in range(FOLLOWED_STEPS) if query["told"] and query["known"] - 1 - turn in usable(query)]
    items = [(turn, steps[query["known"] - 1 - turn]["item"]) for turn in turns]
    return [(turn, item) for turn, item in items if item is not None]


TOLD = ("following", "following_share", "distance")


def log_daypart(events, kinds, item, daypart):
    n_dayparts = len(events[0])
    of_kind = [events[i] for i, kind in enumerate(kinds) if kind == kinds[item]]
    prior = (sum(row[daypart] for row in of_kind) + 1) / (sum(map(sum, of_kind)) + n_dayparts)
    return math.log((events[item][daypart] + 5 * prior) / (sum(events[item]) + 5))


def visits(events, catalogue, item):
    """How often people come to an item and to its category, each smoothed with two visitors."""
    kinds, visitors = catalogue.categories, catalogue.visitors.tolist()
    of_kind = [i for i, kind in enumerate(kinds) if kind == kinds[item]]
    of_category = (sum(sum(events[i]) for i in of_kind) + 2) / (sum(visitors[i] for i in of_kind) + 2)
    of_item = (sum(events[item]) + 2 * of_category) / (visitors[item] + 2)
    return {"visits": math.log(of_item), "visits_of_category": math.log(of_category)}


def candidates(steps, query, catalogue):
    """The items that memory speaks of, in a catalogue so small that no list of them is cut."""
    met = {steps[s]["item"] for s in usable(query)} - {None}
    n_dayparts, table = len(catalogue.dayparts), catalogue.popularity.toarray()
    rows = [row for d in range(n_dayparts) for row in (table[d], table[(1 + (query["region"] or 0)) * n_dayparts + d])]
    rows = rows if query["region"] is not None else table[:n_dayparts]
    popular = {item for row in [*rows, catalogue.trending] for item, n in enumerate(row) if n > 0}
    previous = steps[query["known"] - 1]["item"] if query["told"] else None
    after = catalogue.transitions.toarray()
    met |= {item for _, last in last_items(steps, query) for item, n in enumerate(after[last]) if n > 0}
    if previous is None:
        return met | popular
    places = [point(lat, lon) for lat, lon in zip(catalogue.lat, catalogue.lon, strict=True)]
    here = places[previous]
    near = {i for i, place in enumerate(places) if here and place and math.dist(here, place) < 2000}
    return met | popular | near | {previous}


def at_large(steps, query):
    """How new, how many and how many of today the known steps are."""
    known = usable(query)
    weights = {s: 2 ** (-sum(later > s for later in known) / 30) for s in known}
    fresh = [s for s in known if steps[s]["item"] not in [steps[e]["item"] for e in known if e < s]]
    asked = clock(query["slot"], query["at_s"])
    today = [s for s in known if asked is not None and (query["at_s"] - steps[s]["at_s"]) / 3600 < asked % 24]
    novelty = sum(weights[s] for s in fresh) / max(sum(weights.values()), 1e-6)
    return [novelty, math.log1p(len(known)) / 5, math.log1p(len(today))]


def decayed_mean(vectors, times_s, half_life_days):
    """The mean of vectors, each weighted by its age at the last of the times."""
    weights = [2 ** (-(times_s[-1] - t) / DAY_S / half_life_days) for t in times_s]
    whole = sum(weights)
    return [sum(w * v[k] for w, v in zip(weights, vectors, strict=True)) / whole for k in range(len(vectors[0]))]


def mean_by_steps(vectors, half_life_steps, size):
    """The mean of vectors by how many steps ago they were met; zeros for none."""
    weights = {ago: 2 ** (-ago / half_life_steps) for ago in vectors}
    return [
        sum(weights[ago] * vector[k] for ago, vector in vectors.items()) / sum(weights.values()) if vectors else 0.0
        for k in range(size)
    ]


def events_before(histories, moment_s):
    """How often each item was met before a moment: steps are dicts of item and at_s."""
    return Counter(s["item"] for steps in histories for s in steps if s["item"] is not None and s["at_s"] < moment_s)


def visitors_before(histories, moment_s):
    """How many of the histories met each item before a moment."""
    met = [{s["item"] for s in steps if s["at_s"] < moment_s} - {None} for steps in histories]
    return Counter(item for items in met for item in items)


def trending_at(histories, moment_s):
    """The events on each item before a moment, each of them halved for every 14 days of its age."""
    found = defaultdict(float)
    for step in (s for steps in histories for s in steps if s["item"] is not None and s["at_s"] < moment_s):
        found[step["item"]] += 0.5 ** ((moment_s - step["at_s"]) / DAY_S / 14)
    return found


def successions_before(histories, moment_s, gap_s):
    """How often one item followed another at once within `gap_s`, before a moment."""
    found = Counter()
    for steps in histories:
        for s in range(1, len(steps)):
            one, other = steps[s - 1], steps[s]
            if None in (one["item"], other["item"]) or other["at_s"] - one["at_s"] > gap_s:
                continue
            if other["at_s"] < moment_s:
                found[one["item"], other["item"]] += 1
    return found


def own_gaps(steps, query, edges_s):
    """How often known steps came after each gap: of all of them, and of those after the last known step's item."""
    sums = [[0.0] * (len(edges_s) - 1) for _ in range(2)]
    if not query["known"]:
        return sums
    last = steps[query["known"] - 1]
    now = clock(last["slot"], last["at_s"])
    for s in usable(query):
        if s - 1 not in usable(query) or steps[s]["gap_s"] >= edges_s[-1]:
            continue
        began = clock(steps[s - 1]["slot"], steps[s - 1]["at_s"])
        if now is None or began is None:
            continue
        weight = bell(around(now, began, 24), 2) * (1 if (now >= 120) == (began >= 120) else 0.3)
        place = max(n for n, edge in enumerate(edges_s[:-1]) if edge <= steps[s]["gap_s"])
        sums[0][place] += weight
        if query["told"] and last["item"] is not None and steps[s - 1]["item"] == last["item"]:
            sums[1][place] += weight
    return sums
