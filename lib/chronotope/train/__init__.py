"""Stage train: the space-time LSTM, the counts that it must beat, and what both score with."""
