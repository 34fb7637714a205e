"""Types of columns that mean the same in every database."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = ["Number", "Text", "Whole"]

# Compared by code points, as SQLite does, whatever the language of the database.
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# 64 bits, which SQLite's integers have anyway.
Whole = sa.Integer().with_variant(sa.BigInteger(), "postgresql")

# SQLite gives a row number to a column of this exact type only.
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
