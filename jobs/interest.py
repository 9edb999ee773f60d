"""Stage interest: what each user's events say about terms, over a long and a short horizon."""

import sys

from chronotope.cli.jobs import main
from chronotope.interest.frequencies import current_version, document_frequencies, needs_refresh
from chronotope.interest.sums import term_sums
from chronotope.interest.texts import described_by, tokens
from chronotope.interest.vectors import interests
from chronotope.store.night import Night


def run(night: Night) -> None:
    settings, events, items = night.settings, night.rows("events"), night.read("items")
    recount = needs_refresh(current_version(night.read("terms")), night.date, settings.interest.refresh_days)
    texts = night.scratch("tokens", tokens(items if recount else described_by(items, events), events, settings))

    night.write("term_sums", term_sums(events, texts, settings, night.date))
    sums = night.read("term_sums")
    if recount:
        night.write("terms", document_frequencies(texts, sums, settings, night.date))
    touched = None if recount else night.rows("term_sums")
    first = night.before is None
    night.write("interests", interests(sums, night.read("terms"), settings, night.date, touched, first))


if __name__ == "__main__":
    sys.exit(main({"interest": run}))
