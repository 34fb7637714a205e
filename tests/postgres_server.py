"""A PostgreSQL server of the tests' own, beside any that runs on this machine."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from ports import free_port

_START_S = 60.0
_USER = "amlsdk"
_ICU_SINCE = 15


def _programs():
    """The folder of the server's programs; Debian keeps one a version, off the path."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = [Path(found).resolve().parent for found in (shutil.which("postgres"),) if found]
    return next((path for path in (*debian, *on_path) if (path / "initdb").exists()), None)


def why_not():
    """Why no server can be started here, or None."""
    if os.name != "posix":
        return "the tests start PostgreSQL on Linux and macOS only"
    if _programs() is None:
        return "there is no PostgreSQL server: apt-get install postgresql"
    return None


ON_SERVER = pytest.param("postgres", marks=pytest.mark.skipif(why_not() is not None, reason=str(why_not())))


class Server:
    """A server in a folder. It forgets what it has when it ends, and therefore waits for no disk.

    Args:
        folder: Of its own, new and empty.
        durable: Wait for the disk all the same, as one that is to be measured does.
    """

    def __init__(self, folder, *, durable=False):
        self.folder, self.port, self.password = folder, free_port(), secrets.token_urlsafe(12)
        self._process, self._databases = None, 0
        self._options = {} if durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        self._programs = _programs()
        self._initialise()

    def start(self):
        """Start it, or start it again; returns when it answers."""
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": 200,
            "shared_buffers": "256MB",
            "autovacuum_naptime": "10s",
            **self._options,
        }
        arguments = [argument for name, value in options.items() for argument in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_unprivileged(),
            )
        self._wait()

    def stop(self, *, kindly=False):
        """End it: at once, as a cut of power would, or with time for what is going on."""
        # From the manual's section 19.5: SIGINT ends sessions in order, SIGQUIT leaves all to the next start.
        self._process.send_signal(signal.SIGINT if kindly else signal.SIGQUIT)
        self._process.wait(60)

    def url(self, database):
        """The address of a database, as `--database` takes it."""
        return f"postgresql+psycopg://{_USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement, *, database="postgres"):
        """Carry a statement out, outside of a transaction; returns its rows."""
        with psycopg.connect(self._socket(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def new_database(self, options=""):
        """Make a database; returns its address."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
        return self.url(name)

    def empty(self, url):
        """Drop all that a service made in a database, which takes a fraction of making another database."""
        name = url.rpartition("/")[2]
        found = self.execute(r"SELECT nspname FROM pg_namespace WHERE nspname ~ '^(amlsdk$|ws_)'", database=name)
        for (schema,) in found:
            self.execute(f'DROP SCHEMA "{schema}" CASCADE', database=name)

    def drop_database(self, url):
        """Drop a database, with those who are connected to it."""
        self.execute(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    @contextlib.contextmanager
    def database(self, options=""):
        """A database for a test."""
        url = self.new_database(options)
        try:
            yield url
        finally:
            self.drop_database(url)

    def _initialise(self):
        if os.geteuid() == 0:
            os.chown(self.folder, _account().pw_uid, _account().pw_gid)
        (self.folder / "password").write_text(self.password)
        (self.folder / "password").chmod(0o644)
        version = int(re.search(r"(\d+)", _output(self._programs / "postgres", "--version"))[1])
        # Text sorts there as people expect it to, which is not how the catalogue has to sort.
        icu = ["--locale-provider=icu", "--icu-locale=en"] if version >= _ICU_SINCE else []
        self.plain = "LOCALE_PROVIDER libc LOCALE 'C'" if icu else "LOCALE 'C'"
        _output(
            *(self._programs / "initdb", "-D", self.folder / "data", "-U", _USER, "--no-sync", "--encoding=UTF8"),
            *("--locale=C.UTF-8", *icu, f"--pwfile={self.folder / 'password'}"),
            *("--auth-local=trust", "--auth-host=scram-sha-256"),
        )

    def _socket(self, database):
        return f"host={self.folder} port={self.port} user={_USER} dbname={database}"

    def _wait(self):
        deadline = time.monotonic() + _START_S
        while True:
            try:
                return self.execute("SELECT 1")
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"PostgreSQL did not start:\n{self._log()}") from None
                time.sleep(0.02)

    def _log(self):
        return (self.folder / "log").read_text()[-3000:]


def empty_tables(database, metadata):
    """Delete all rows of a catalogue, which takes a fraction of making other tables."""
    names = [table.name for table in reversed(metadata.sorted_tables)]
    with database.write() as connection:
        # In one message, which takes a fraction of one a table.
        script = ";".join(f'DELETE FROM "{name}"' for name in names)  # noqa: S608  # names of our own tables
        connection.connection.driver_connection.execute(script)


@contextlib.contextmanager
def postgres(*, durable=False):
    """Start a server in a temporary folder, and end it."""
    # Short, as a socket's path has at most 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    try:
        server = Server(folder, durable=durable)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _account():
    """Whom the server runs as where the tests run as root, whom it refuses."""
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


def _unprivileged():
    if os.geteuid() != 0:
        return {}
    return {"user": _account().pw_uid, "group": _account().pw_gid, "extra_groups": []}


def _output(*command):
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd="/", **_unprivileged())
    assert done.returncode == 0, done.stderr
    return done.stdout
