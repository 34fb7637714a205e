"""What runs, builds and deployments printed, kept in files or in the catalogue."""
