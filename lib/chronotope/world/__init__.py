"""The demo world: a seeded event log whose interests, sessions and faults are known, made by Spark."""
