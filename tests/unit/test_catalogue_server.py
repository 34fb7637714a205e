"""A database server that is wrong, away, or comes back."""

import pytest
import sqlalchemy as sa
from postgres_server import postgres, why_not

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.storage.catalogue import migrating
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.schema import model_name

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


def add(connection, name):
    connection.execute(sa.insert(model_name), {"name": name, "last_version": 1})


def names(database):
    with database.read() as connection:
        return sorted(connection.execute(sa.select(model_name.c.name)).scalars())


def test_a_database_that_lacks_letters_is_refused(postgres_server):
    with postgres_server.database(f"ENCODING 'SQL_ASCII' {postgres_server.plain}") as url:
        database = Database(url, schema="amlsdk")
        with pytest.raises(InvalidArgument, match=r"SQL_ASCII.*createdb --encoding=UTF8"):
            migrating.create(database)
        database.close()


def test_what_is_wrong_with_an_address_is_said_without_its_password(postgres_server):
    good = postgres_server.url("postgres")
    wrong = {
        good.replace(postgres_server.password, "not-the-secret"): "user and password",
        good.replace("/postgres", "/nowhere"): "make the database",
        good.replace(f":{postgres_server.port}/", ":1/"): "whether the server runs",
    }
    for url, remedy in wrong.items():
        database = Database(url, schema="amlsdk")
        with pytest.raises(Unavailable, match=remedy) as caught, database.read():
            pass
        assert postgres_server.password not in str(caught.value)
        assert "not-the-secret" not in str(caught.value)
        database.close()
    for text in ("postgresql://user:pass-word@host:notaport/db", "postgresql://user:pass-word@host"):
        with pytest.raises(InvalidArgument, match="can't be read") as caught:
            Database(text, schema="amlsdk")
        assert "pass-word" not in str(caught.value)


def test_a_restart_of_the_server_breaks_nothing_for_longer_than_it_lasts():
    # One that waits for the disk, as it has to keep what it was told before its end.
    with postgres(durable=True) as server:
        database = Database(server.new_database(), schema="ws_a")
        migrating.create(database)
        for _ in range(3):
            server.stop()
            server.start()
            assert names(database) == []
        with pytest.raises(Unavailable, match="try again"), database.write() as connection:  # noqa: PT012  # all of it
            add(connection, "lost with the server")
            server.stop()
            add(connection, "lost too")
        with pytest.raises(Unavailable, match="whether the server runs"):
            names(database)
        server.start()
        assert names(database) == []
        with database.write() as connection:
            add(connection, "kept")
        assert names(database) == ["kept"]
        database.close()


def test_a_connection_that_was_ended_while_nobody_used_it_is_replaced(postgres_catalogue, postgres_server):
    database = postgres_catalogue
    assert names(database) == []
    end = (
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    assert postgres_server.execute(end, database=database.url.rpartition("/")[2])
    assert names(database) == []
