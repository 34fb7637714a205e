"""Small summaries of streams of values."""
