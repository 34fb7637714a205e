"""The directory of a service: who may do what in which workspace, in SQLite or PostgreSQL."""
