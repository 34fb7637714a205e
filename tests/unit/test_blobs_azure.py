from pathlib import Path

import pytest
from azurite import azurite, why_not

from amlsdk.storage.blobs.base import BlobStore
from amlsdk.storage.blobs.opening import open_store
from amlsdk.testing.blob_store_case import BlobStoreTestCase

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))


@pytest.fixture(scope="module")
def server():
    with azurite() as started:
        yield started


@pytest.fixture(autouse=True)
def container(server, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", server.connection_string)
    return server.new_container()


class TestAzureBlobStore(BlobStoreTestCase):
    @pytest.fixture(autouse=True)
    def _place(self, container):
        self.container = container

    def make_store(self, folder: Path) -> BlobStore:
        return open_store(f"azure://{self.container}/team", prefix="workspaces/a")

    def damage(self, store, digest):
        blob = store._client(f"blobs/{digest}")
        content = bytearray(blob.download_blob().readall())
        content[len(content) // 2] ^= 1
        blob.upload_blob(bytes(content), overwrite=True)
