"""What drives submitted runs: the supervisor, and the targets on which they execute."""
