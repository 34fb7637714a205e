"""Revisions of the schema, in the form of Alembic."""
