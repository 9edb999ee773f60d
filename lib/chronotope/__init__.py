"""Chronotope: users' interests in time and space, every night."""

import os

__version__ = "0.1.0"

# Threads of torch that wait for each other give the core away: spinning ones made training ten times slower where
# another process wanted it too. The OpenMP runtime reads this once, before anything imports torch.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
