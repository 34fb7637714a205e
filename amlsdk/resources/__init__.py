"""What users touch: workspaces, projects, experiments, runs, models."""
