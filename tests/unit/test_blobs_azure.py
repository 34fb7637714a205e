import hashlib
import random
from pathlib import Path

import pytest
from azurite import azurite, why_not

from amlsdk.records.streams import ByteStream
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

    def test_a_blob_that_is_found_by_others_meanwhile_is_read_to_its_end(self, store):
        """Azure reads on from one version only, and that somebody marks a blob as used makes another one."""
        content = random.Random(3).randbytes(20 << 20)
        digest = hashlib.sha256(content).hexdigest()
        store.put(digest, ByteStream.of(content))
        chunks = iter(store.open(digest))
        read = next(chunks)
        for chunk in chunks:
            assert store._mark_used(f"blobs/{digest}")
            read += chunk
        assert read == content
