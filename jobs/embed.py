"""Stage embed: vectors for the texts that have none yet."""

import sys

from chronotope.cli.jobs import main
from chronotope.embed.frames import embed, missing_texts
from chronotope.embed.weights import model_name
from chronotope.store.night import Night


def run(night: Night) -> None:
    items = night.read("items") if night.is_refresh else night.rows("items")
    texts = missing_texts(items, night.read("item_embeddings"), model_name(night.settings.embed))

    night.write("item_embeddings", embed(texts, night.settings, night.date))


if __name__ == "__main__":
    sys.exit(main({"embed": run}))
