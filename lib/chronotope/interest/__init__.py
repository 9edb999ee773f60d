"""Stage interest: what each user is interested in, as decayed TF-IDF vectors over a long and a short horizon.

A night turns its texts into `tokens`, adds its events' `term_sums` to those of the nights before, and makes the
`interests` of the users that it touched. A refresh night recounts `document_frequencies`, and makes everybody's.
"""

from __future__ import annotations

from chronotope.interest.frequencies import document_frequencies
from chronotope.interest.sums import term_sums, total_sums
from chronotope.interest.texts import described_by, tokens
from chronotope.interest.vectors import interests

__all__ = ["described_by", "document_frequencies", "interests", "term_sums", "tokens", "total_sums"]
