"""The column that every table carries."""

from __future__ import annotations

from chronotope.tables.declaration import Column

NIGHT = Column("night", "date", "the night that wrote the row; the partition")
