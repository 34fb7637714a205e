import contextlib
import os
import threading

import pytest
import sqlalchemy as sa

from amlsdk.errors import Unavailable
from amlsdk.storage.catalogue import migrating
from amlsdk.storage.catalogue.database import Database
from amlsdk.storage.catalogue.dialects import insert
from amlsdk.storage.catalogue.schema import fileset, model_name, run_state


@pytest.fixture
def database(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/catalogue.sqlite")
    migrating.create(database)
    yield database
    database.close()


def add(connection, name):
    connection.execute(sa.insert(model_name), {"name": name, "last_version": 1})


def names(database):
    with database.read() as connection:
        return sorted(connection.execute(sa.select(model_name.c.name)).scalars())


def test_what_is_written_is_read(database):
    with database.write() as connection:
        add(connection, "a")
    assert names(database) == ["a"]
    assert database.dialect == "sqlite"


def test_a_block_that_raises_leaves_nothing(database):
    with contextlib.suppress(ZeroDivisionError), database.write() as connection:
        add(connection, "a")
        raise ZeroDivisionError
    assert names(database) == []


def test_a_reader_sees_one_state_and_does_not_wait(database):
    with database.read() as reading:
        count = sa.select(sa.func.count()).select_from(model_name)
        assert reading.execute(count).scalar() == 0
        with database.write() as connection:
            add(connection, "a")
        assert reading.execute(count).scalar() == 0
    assert names(database) == ["a"]


def test_threads_take_turns_to_write(database):
    def count():
        for _ in range(25):
            with database.write() as connection:
                number = connection.execute(sa.select(model_name.c.last_version)).scalar()
                connection.execute(sa.update(model_name).values(last_version=number + 1))

    with database.write() as connection:
        add(connection, "a")
    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(sa.select(model_name.c.last_version)).scalar() == 201


def test_a_catalogue_locked_for_too_long_is_unavailable(tmp_path, database):
    impatient = Database(f"sqlite:///{tmp_path}/catalogue.sqlite", busy_s=0.01)
    with database.write(), pytest.raises(Unavailable, match="another process has been writing"), impatient.write():
        pass
    with impatient.write() as connection:
        add(connection, "later")
    impatient.close()


def test_rows_need_what_they_refer_to(database):
    row = {"run_pk": 7, "number": 1, "status": "Running", "at": 1}
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(sa.insert(run_state), row)


def test_an_upsert_changes_what_is_there(database):
    row = {"digest": "a", "file_count": 1, "size_bytes": 1, "created_at": 1}
    for created_at in (1, 2):
        with database.write() as connection:
            statement = insert(connection, fileset).values(**row)
            again = statement.on_conflict_do_update(index_elements=["digest"], set_={"created_at": created_at})
            connection.execute(again)
    with database.read() as connection:
        assert connection.execute(sa.select(fileset.c.created_at)).scalars().all() == [2]


def run_in_child(work):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_goes_on_with_connections_of_its_own(database):
    assert names(database) == []

    def work():
        with database.write() as connection:
            add(connection, "child")

    assert run_in_child(work) == 0
    with database.write() as connection:
        add(connection, "parent")
    assert names(database) == ["child", "parent"]


def test_a_fork_within_a_transaction_leaves_it_to_the_parent(database):
    with database.write() as connection:
        add(connection, "parent")
        # The child ends as an interpreter does: with all its objects.
        assert run_in_child(database.close) == 0
        add(connection, "and more")
    assert names(database) == ["and more", "parent"]


def test_a_forked_child_that_goes_on_is_not_cut_off_by_its_parent(database):
    """The parent closes its last connection while the child has one: what the child writes later is kept."""
    assert names(database) == []
    opened, may_write = os.pipe(), os.pipe()

    def work():
        assert names(database) == []
        os.write(opened[1], b"x")
        os.read(may_write[0], 1)
        with database.write() as connection:
            add(connection, "child")

    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    assert names(database) == []
    os.read(opened[0], 1)
    database.close()
    os.write(may_write[1], b"x")
    assert os.waitpid(child, 0)[1] == 0
    again = Database(database.url)
    assert names(again) == ["child"]
    again.close()
    for end in (*opened, *may_write):
        os.close(end)


def test_a_closed_database_may_be_closed_again_and_is_not_opened(database):
    database.close()
    database.close()
    for use in (database.read, database.write):
        with pytest.raises(Unavailable, match="was closed"), use():
            pass


@contextlib.contextmanager
def read_elsewhere(database):
    """Another thread is in the midst of reading."""
    inside, enough = threading.Event(), threading.Event()

    def work():
        with database.read():
            inside.set()
            enough.wait()

    thread = threading.Thread(target=work)
    thread.start()
    inside.wait()
    yield
    enough.set()
    thread.join()


def open_files(folder):
    links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    return [link for link in links if os.path.islink(link) and str(folder) in os.readlink(link)]


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="only Linux tells which files are open")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_connection_in_use_when_the_others_are_closed_is_closed_when_it_comes_back(database, tmp_path, monkeypatch):
    """By a fork, which closes those that are not in use, and by the end."""
    monkeypatch.setattr("amlsdk.storage.catalogue.sqlite._FORK_WAIT_S", 0.1)
    for _ in range(3):
        with read_elsewhere(database):
            assert run_in_child(lambda: None) == 0
    assert open_files(tmp_path) == []
    with read_elsewhere(database):
        database.close()
    assert open_files(tmp_path) == []
