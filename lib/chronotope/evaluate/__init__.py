"""Stage evaluate: how good the lists are, beside the yardsticks, and which model may publish."""
