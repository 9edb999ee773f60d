"""The only room that touches storage: the session, the tables and their logs, the models, the runs."""
