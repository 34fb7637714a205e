"""What all tests share."""

import pytest
from hypothesis import settings
from postgres_server import empty_tables, postgres

from amlsdk.storage.catalogue import migrating, schema
from amlsdk.storage.catalogue.database import Database
from amlsdk.testing.preloading import import_all

# The same examples every time; and none fails because the machine had something else to do.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")

import_all()


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server, for all tests of a process."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def _shared_database(postgres_server):
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def postgres_database(postgres_server, _shared_database):
    """The address of a database with nothing in it."""
    postgres_server.empty(_shared_database)
    return _shared_database


@pytest.fixture(scope="session")
def _shared_catalogue(postgres_server):
    with postgres_server.database() as url:
        database = Database(url, schema="ws_shared")
        migrating.create(database)
        yield database
        database.close()


@pytest.fixture
def postgres_catalogue(_shared_catalogue):
    """A catalogue in PostgreSQL that has its tables and no rows."""
    empty_tables(_shared_catalogue, schema.metadata)
    return _shared_catalogue
