"""What the tables have in common: the collection of them, and how their constraints are named."""

from __future__ import annotations

from sqlalchemy import MetaData

__all__ = ["NAMING", "metadata"]

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)
