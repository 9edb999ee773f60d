"""Whole nights, one after the other: those of a range that are not published yet."""

import sys

from chronotope.cli.backfill import main
from nightly import RUNS

if __name__ == "__main__":
    sys.exit(main(RUNS))
