"""Stage interest: what each user's events say about terms, over a long and a short horizon."""

import sys

from chronotope.cli.jobs import main
from chronotope.interest.frequencies import document_frequencies
from chronotope.interest.sums import term_sums, total_sums
from chronotope.interest.texts import described_by, tokens
from chronotope.interest.vectors import interests
from chronotope.store.frames import union
from chronotope.store.night import Night
from chronotope.store.rebuild import read_like
from chronotope.store.recount import counts_anew


def run(night: Night) -> None:
    settings, items, anew = night.settings, night.read("items"), counts_anew(night, "term_sums")
    events = night.read("events") if anew else night.rows("events")
    texts = night.scratch(
        "tokens", tokens(items if night.is_refresh else described_by(items, events), events, settings)
    )
    sums = term_sums(events, texts, settings, night.date)
    if night.is_refresh:
        if night.before and not anew:
            sums = total_sums(union([night.read_before("term_sums"), sums]), settings, night.date)
        night.write("term_sums", sums)
        counted = document_frequencies(texts, night.rows("term_sums"), settings, night.date)
        night.write("terms", read_like(night, "terms") if night.like else counted)
        wanted = night.rows("term_sums")
    else:
        night.write("term_sums", sums)
        wanted = night.read("term_sums", night.rows("term_sums"))
    night.write("interests", interests(wanted, night.read("terms"), settings, night.date, night.is_refresh))


if __name__ == "__main__":
    sys.exit(main({"interest": run}))
