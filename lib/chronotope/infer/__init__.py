"""Stage infer: where each user stands, and what is expected of them by time and place."""
