"""How older catalogues are brought to the present schema, one revision after the other (Alembic)."""
