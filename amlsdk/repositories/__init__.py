"""Git repositories that a workspace keeps for its projects."""
