"""Chronotope: users' interests in time and space, every night."""

__version__ = "0.1.0"
