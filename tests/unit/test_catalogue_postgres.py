"""A catalogue in PostgreSQL: what differs from one in a file."""

import os
import threading

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from postgres_server import why_not

from amlsdk.errors import InvalidArgument, Unavailable
from amlsdk.storage.catalogue import migrating, schema
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.postgresql import PostgresConnections
from amlsdk.storage.catalogue.schema import metric, model_name, project
from amlsdk.storage.tenancy.schema import DIRECTORY

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

COUNT = sa.select(sa.func.count()).select_from(model_name)


@pytest.fixture
def database(postgres_catalogue):
    return postgres_catalogue


@pytest.fixture
def another(database):
    """The same catalogue, as another process has it."""
    other = Database(database.url, schema=database.schema)
    yield other
    other.close()


def add(connection, name, number=1):
    connection.execute(sa.insert(model_name), {"name": name, "last_version": number})


def names(database):
    with database.read() as connection:
        return list(connection.execute(sa.select(model_name.c.name).order_by(model_name.c.name)).scalars())


def differences(database, metadata=schema.metadata):
    with database.read() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)


def test_texts_are_in_the_order_of_their_code_points_whatever_the_language_of_the_database(database):
    with database.write() as connection:
        for name in ("b", "B", "a", "Z", "é", "_", "\U0001f600"):
            add(connection, name)
        assert connection.execute(sa.text("SELECT 'a' < 'B'")).scalar_one(), "the database sorts as people do"
    assert names(database) == sorted(["b", "B", "a", "Z", "é", "_", "\U0001f600"])
    with database.read() as connection:
        between = sa.select(model_name.c.name).where(model_name.c.name > "Z", model_name.c.name < "b")
        assert set(connection.execute(between).scalars()) == {"_", "a"}


def test_a_text_with_nul_equals_nothing_that_is_kept(database):
    with database.write() as connection:
        add(connection, "a")
    with database.read() as connection:
        asked = sa.select(model_name).where(model_name.c.name.in_(["a\0", "\0"]))
        assert connection.execute(asked).all() == []


def test_numbers_have_64_bits_and_floats_are_kept_exactly(database):
    values = [0.1, 1e308, 5e-324, -0.0, float("inf"), float("-inf")]
    with database.write() as connection:
        add(connection, "a", (1 << 63) - 1)
        connection.execute(sa.text("CREATE TEMPORARY TABLE kept (value float8) ON COMMIT DROP"))
        connection.execute(sa.text("INSERT INTO kept VALUES (:value)"), [{"value": value} for value in values])
        found = list(connection.execute(sa.text("SELECT value FROM kept")).scalars())
        assert list(map(repr, found)) == list(map(repr, values))
        assert connection.execute(sa.select(model_name.c.last_version)).scalar_one() == (1 << 63) - 1
        assert isinstance(metric.c.last.type, sa.Float)


def test_a_value_of_another_kind_is_an_invalid_argument(database):
    with pytest.raises(InvalidArgument, match="can't keep or compare a value"), database.read() as connection:
        connection.execute(sa.select(project).where(project.c.created_at > sa.bindparam("x")), {"x": "soon"})


def test_a_reader_sees_one_state_and_does_not_wait(database, another):
    with database.read() as reading:
        assert reading.execute(COUNT).scalar() == 0
        with another.write() as connection:
            add(connection, "a")
        assert reading.execute(COUNT).scalar() == 0
    assert names(database) == ["a"]


def test_what_reads_does_not_write(database):
    with pytest.raises(Unavailable, match="read-only"), database.read() as connection:
        add(connection, "a")
    assert names(database) == []


def test_processes_take_turns_to_write_and_each_sees_what_those_before_it_wrote(database, another):
    with database.write() as connection:
        add(connection, "a", 0)

    def count(of):
        for _ in range(20):
            with of.write() as connection:
                number = connection.execute(sa.select(model_name.c.last_version)).scalar()
                connection.execute(sa.update(model_name).values(last_version=number + 1))

    threads = [threading.Thread(target=count, args=(of,)) for of in (database, another) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(sa.select(model_name.c.last_version)).scalar() == 120


def test_who_waits_too_long_to_write_is_told_so(database):
    impatient = Database(database.url, schema=database.schema, busy_s=0.05)
    with database.write(), pytest.raises(Unavailable, match="another process has been writing"), impatient.write():
        pass
    with impatient.write() as connection:
        add(connection, "later")
    impatient.close()


def test_workspaces_of_one_database_know_nothing_of_each_other_and_share_few_connections(database, postgres_server):
    others = [database.beside(f"ws_beside_{number}") for number in range(2)]
    for number, other in enumerate(others):
        migrating.create(other)
        with other.write() as connection:
            add(connection, f"of {number}")
    barrier, found = threading.Barrier(30), []

    def read(other):
        barrier.wait()
        found.append(names(other))

    threads = [threading.Thread(target=read, args=(others[number % 2],)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [["of 0"]] * 15 + [["of 1"]] * 15
    assert names(database) == []
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert postgres_server.execute(count, database=database.url.rpartition("/")[2])[0][0] <= 20


def test_a_schema_is_named_plainly(database):
    with pytest.raises(InvalidArgument, match="can't be a schema"):
        database.beside('x"; DROP SCHEMA public')


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_its_own_connections_and_leaves_those_of_its_parent(database):
    with database.write() as connection:
        add(connection, "parent")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                assert names(database) == []
                database.connections.dispose()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        add(connection, "and more")
    assert names(database) == ["and more", "parent"]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_that_comes_out_of_a_transaction_ends_neither_its_parents_nor_its_own(database):
    inside, child = False, None
    try:
        with database.write() as connection:
            add(connection, "parent")
            child = os.fork()
            inside = child == 0
            if inside:
                # A connection of the child's own, which would get the number of the parent's if that were free.
                assert names(database) == []
    except Unavailable:
        os._exit(0 if inside and names(database) in ([], ["parent"]) else 1)
    if inside:
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert names(database) == ["parent"]


def test_a_new_catalogue_has_the_schema(database):
    assert differences(database) == []
    assert migrating.is_current(database)


@pytest.mark.parametrize("of", [migrating.WORKSPACE, DIRECTORY], ids=["workspace", "directory"])
def test_a_catalogue_migrated_from_the_first_revision_equals_a_new_one(postgres_server, of):
    with postgres_server.database() as url:
        old, new = Database(url, schema="old"), Database(url, schema="new")
        with old.write() as connection:
            connection.execute(sa.text("CREATE SCHEMA old"))
            with Operations.context(MigrationContext.configure(connection)):
                ScriptDirectory(str(of.migrations)).get_revision(of.revisions[0]).module.upgrade()
            connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
            connection.execute(sa.text("INSERT INTO alembic_version VALUES (:number)"), {"number": of.revisions[0]})
        migrating.migrate(old, of)
        migrating.create(new, of)
        assert differences(old, of.metadata) == []
        assert described(old) == described(new)
        old.close()
        new.close()


def described(database):
    columns = (
        "SELECT table_name, column_name, data_type, collation_name, is_nullable, replace(column_default, :schema, '') "
        "FROM information_schema.columns WHERE table_schema = :schema ORDER BY 1, 2"
    )
    indexes = (
        "SELECT tablename, replace(indexdef, :schema, '') FROM pg_indexes WHERE schemaname = :schema ORDER BY 1, 2"
    )
    with database.read() as connection:
        found = [connection.execute(sa.text(text), {"schema": database.schema}).all() for text in (columns, indexes)]
    assert all(row.collation_name == "C" for row in found[0] if row.data_type == "text")
    return found


def test_nobody_migrates_what_another_process_has_open(database, another):
    assert names(another) == []
    with (
        pytest.raises(Unavailable, match="others have it"),
        database.alone(timeout_s=0.2, otherwise="others have it open"),
    ):
        pass
    another.close()
    with database.alone(timeout_s=10, otherwise="others have it open"):
        assert names(database) == []
        waiting = Database(database.url, schema=database.schema, busy_s=0.05)
        with pytest.raises(Unavailable, match="migrating for too long"):
            names(waiting)
    assert names(waiting) == []
    waiting.close()


def test_connections_are_of_the_kind_of_the_url(database):
    assert isinstance(database.connections, PostgresConnections)
    assert database.dialect == "postgresql"
