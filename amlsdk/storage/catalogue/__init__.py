"""The catalogue: what is known of projects, runs and models, in SQLite or PostgreSQL."""
