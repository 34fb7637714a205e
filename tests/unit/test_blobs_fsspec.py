from pathlib import Path

import fsspec
import pytest

from amlsdk.storage.blobs.base import BlobStore
from amlsdk.storage.blobs.fsspec import open_fsspec
from amlsdk.testing.blob_store_case import BlobStoreTestCase


def flip_a_byte(store, digest):
    path = f"{store._root}/blobs/{digest}"
    content = bytearray(store._files.cat_file(path))
    content[len(content) // 2] ^= 1
    store._files.pipe_file(path, bytes(content))


class TestInMemory(BlobStoreTestCase):
    @pytest.fixture(autouse=True)
    def _forgotten(self):
        yield
        fsspec.filesystem("memory").store.clear()

    def make_store(self, folder: Path) -> BlobStore:
        return open_fsspec(f"memory:/{folder}", prefix="workspaces/a")

    def damage(self, store, digest):
        flip_a_byte(store, digest)


class TestInFiles(BlobStoreTestCase):
    def make_store(self, folder: Path) -> BlobStore:
        return open_fsspec(f"file://{folder}", prefix="workspaces/a")

    def damage(self, store, digest):
        flip_a_byte(store, digest)
