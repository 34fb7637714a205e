"""An Azurite of the tests' own: Azure Blob Storage on loopback."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from azure.storage.blob import BlobServiceClient

VERSION = "3.35.0"
_SCRIPT = Path(__file__).parent.parent / "scripts" / "npm-package"
_LISTENING = re.compile(r"listens on (http://127\.0\.0\.1:\d+)")


def why_not():
    """Why no Azurite can be started here, or None."""
    missing = [program for program in ("node", "npm") if shutil.which(program) is None]
    return f"Azurite needs {' and '.join(missing)}: apt-get install nodejs npm" if missing else None


class Azurite:
    """A running server with one account.

    Args:
        address: Where it answers.
        key: Of the account.
    """

    account = "wineaccount"

    def __init__(self, address, key):
        self.address, self.key = address, key

    @property
    def connection_string(self):
        return self.string_with(self.key)

    def string_with(self, key, address=None):
        """The connection string with another key, or by way of another address."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={key};"
            f"BlobEndpoint={address or self.address}/{self.account};"
        )

    def new_container(self):
        """Make a container and return its name."""
        name = f"wine-{secrets.token_hex(6)}"
        with BlobServiceClient.from_connection_string(self.connection_string) as service:
            service.create_container(name)
        return name

    def blobs(self, container):
        """All blobs of a container."""
        with BlobServiceClient.from_connection_string(self.connection_string) as service:
            return list(service.get_container_client(container).list_blobs())

    def blob(self, container, name):
        """The client of a blob, past any store."""
        return BlobServiceClient.from_connection_string(self.connection_string).get_blob_client(container, name)


@contextlib.contextmanager
def azurite(folder=None):
    """Start a server that keeps all in memory, or in a folder, and end it."""
    found = subprocess.run([_SCRIPT, "azurite", VERSION], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert found.returncode == 0, found.stderr
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    kept = ["--location", str(folder)] if folder else ["--inMemoryPersistence", "--extentMemoryLimit", "512"]
    process = subprocess.Popen(
        [
            shutil.which("node"),
            Path(found.stdout.strip()) / "dist" / "src" / "blob" / "main.js",
            *("--blobHost", "127.0.0.1", "--blobPort", "0"),
            *("--skipApiVersionCheck", "--disableTelemetry", "--silent", *kept),
        ],
        env={**os.environ, "AZURITE_ACCOUNTS": f"{Azurite.account}:{key}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield Azurite(_address(process), key)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()


def _address(process):
    said = []
    for line in process.stdout:
        said.append(line)
        listening = _LISTENING.search(line)
        if listening:
            return listening[1]
    raise AssertionError(f"Azurite did not start:\n{''.join(said)}")
