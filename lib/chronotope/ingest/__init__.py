"""Stage ingest: a log becomes events and items; what is refused is kept with its reasons."""
