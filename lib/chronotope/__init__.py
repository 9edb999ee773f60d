"""Chronotope: users' interests in time and space, every night."""

import os

__version__ = "0.1.0"

# Torch's threads spin only briefly while they wait for each other: beside another process, spinning for milliseconds
# made training ten times slower. The OpenMP runtime reads this once, before anything imports torch.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
