"""What of a published night asks to be looked at: the rows of `evaluations` whose value is above their `high`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

PROTOCOL = "watch"
AGE, SHORTFALL, REJECTS = "newest_event_age_h", "event_shortfall", "reject_share"
WITHOUT_LIST, CHURN = "share_without_list", "list_churn"
ACTIONS, INTERESTS, TEXTS = "psi_actions", "psi_interests", "psi_embeddings"
SHARE = "share"  # of one bin of a mix: what the nights to come are compared with, and no figure to be alarmed by

# What each metric says, and where to look when it is too high.
MEANING = {
    AGE: ("hours from the newest accepted event to the night's end",
          "was the log delivered, and up to its end? `rejects` says what was refused"),
    SHORTFALL: ("times fewer accepted events than on the sparsest of the trailing nights",
                "did the delivery break off? compare its files, and `rejects`, with those of other days"),
    REJECTS: ("share of the night's records that were refused",
              "count `rejects` of the night by reason: the log's format or clock may have changed"),
    WITHOUT_LIST: ("share of the night's users without a list of their own",
                   "do their events name items? stage recommend gives lists to users with at least one"),
    CHURN: ("share of the night's users' lists that is not on their lists of the night before",
            "`chronotope runs` says whether the model changed: else compare the item tables and the settings"),
    ACTIONS: ("drift of the action mix against the trailing nights",
              "compare the shares in `evaluations`, slices action=...: one action may be missing or sent twice"),
    INTERESTS: ("drift of users' short interests against the trailing nights",
                "compare the shares in `evaluations`, slices term=...: a campaign, a season, or changed texts"),
    TEXTS: ("drift of the texts of items met against the trailing nights",
            "compare the shares in `evaluations`, slices bucket=...: new kinds of items, or changed texts"),
}  # fmt: skip


@dataclass(frozen=True)
class Alarm:
    """One figure of a night that is above its threshold."""

    night: dt.date
    metric: str
    slice: str
    value: float
    threshold: float

    @property
    def message(self) -> str:
        """One line: what is too high, by how much, and where to look.

        >>> Alarm(dt.date(2026, 3, 3), AGE, "source=shop", 31.0, 24.0).message
        "newest_event_age_h of source=shop is 31, above 24: hours from the newest accepted event to ..."
        """
        meaning, look = MEANING[self.metric]
        of = "" if self.slice == "all" else f" of {self.slice}"
        return f"{self.metric}{of} is {self.value:.4g}, above {self.threshold:.4g}: {meaning}; {look}"


def alarms(rows: Iterable[Mapping[str, Any]]) -> list[Alarm]:
    """The alarms among rows of `evaluations`, by night, in the order of `MEANING`, by slice.

    Only protocol `watch` has alarms; a value or a threshold that is null, as on a first night, raises none.
    """
    watched = [row for row in rows if row["protocol"] == PROTOCOL and row["metric"] in MEANING]
    high = [r for r in watched if r["value"] is not None and r["high"] is not None and r["value"] > r["high"]]
    order = list(MEANING)
    found = [Alarm(row["night"], row["metric"], row["slice"], row["value"], row["high"]) for row in high]
    return sorted(found, key=lambda alarm: (alarm.night, order.index(alarm.metric), alarm.slice))
