"""Chronotope: users' interests in time and space, every night."""

import os

__version__ = "0.1.0"

# Torch's threads are to spin only briefly while they wait for each other: with the default, training beside a busy
# process took ten times as long. The OpenMP runtime reads this once, before anything imports torch.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# Large tensors on large pages: memory features are tens of MiB that live for milliseconds, and asking the system for
# them page by page took an eighth of the time of recommend.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
