"""A whole night: the eight stages in order, published at the end."""

import sys

import embed
import evaluate
import infer
import ingest
import interest
import recommend
import sessions
import train
from chronotope.cli.jobs import main

RUNS = {
    "ingest": ingest.run,
    "interest": interest.run,
    "sessions": sessions.run,
    "embed": embed.run,
    "train": train.run,
    "infer": infer.run,
    "recommend": recommend.run,
    "evaluate": evaluate.run,
}

if __name__ == "__main__":
    sys.exit(main(RUNS))
