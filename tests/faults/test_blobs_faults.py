import contextlib
import hashlib
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from amlsdk.errors import OperationFailed, Unavailable
from amlsdk.filesets.checkout import checkout
from amlsdk.filesets.snapshot import snapshot
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.folder import FolderBlobStore

MIB = 1 << 20
can_mount = sys.platform == "linux" and os.geteuid() == 0
needs_mount = pytest.mark.skipif(not can_mount, reason="only root on Linux may mount a small disk")

STORE_ONE_BY_ONE = """
import pathlib, sys
from amlsdk.storage.blobs.folder import FolderBlobStore
store = FolderBlobStore(sys.argv[1])
for path in sorted(pathlib.Path(sys.argv[2]).iterdir()):
    store.put_file(path)
    print(path.name, flush=True)
"""

STORE_TOGETHER = """
import pathlib, sys
from amlsdk.storage.blobs import folder
folder._GROUP = 16
store = folder.FolderBlobStore(sys.argv[1])
paths = sorted(pathlib.Path(sys.argv[2]).iterdir())
print("ready", flush=True)
sys.stdin.readline()
store.put_files(paths)
"""


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


def run(command, *arguments):
    subprocess.run([shutil.which(command), *map(str, arguments)], check=True)


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 2 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    run("mount", "-t", "tmpfs", "-o", "size=2m", "none", place)
    yield place
    run("umount", place)


@pytest.fixture
def source(tmp_path):
    """A hundred files of random bytes."""
    folder, seeded = tmp_path / "source", random.Random(7)
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03}").write_bytes(seeded.randbytes(seeded.choice([10, 50_000, 3 * MIB // 2])))
    return folder


def assert_no_wrong_blob(store):
    for digest, size, _ in store.digests():
        content = store.open(digest).read()
        assert (digest_of(content), len(content)) == (digest, size)


def temporaries(store):
    folder = store.folder / "tmp"
    return list(folder.iterdir()) if folder.exists() else []


@needs_mount
@pytest.mark.parametrize("how", ["stream", "file", "files"])
def test_a_full_disk_leaves_no_partial_blob(small_disk, tmp_path, how):
    """The error says why, the blobs from before stay whole, and the space is free again."""
    store = FolderBlobStore(small_disk / "store")
    store.put(digest_of(b"before"), ByteStream.of(b"before"))
    big = random.Random(1).randbytes(3 * MIB)
    (tmp_path / "big").write_bytes(big)
    with pytest.raises(Unavailable, match="No space left"):
        {
            "stream": lambda: store.put(digest_of(big), ByteStream.from_file(tmp_path / "big")),
            "file": lambda: store.put_file(tmp_path / "big"),
            "files": lambda: store.put_files([tmp_path / "big"]),
        }[how]()
    assert [digest for digest, _, _ in store.digests()] == [digest_of(b"before")]
    assert temporaries(store) == []
    store.put(digest_of(big[:MIB]), ByteStream.of(big[:MIB]))
    assert store.open(digest_of(big[:MIB])).read() == big[:MIB]


@needs_mount
def test_a_disk_that_fills_during_a_snapshot_leaves_no_partial_blob(small_disk, source):
    """Blobs of many threads are all whole or gone."""
    store = FolderBlobStore(small_disk / "store")
    with pytest.raises(Unavailable, match="No space left"):
        snapshot(source, store)
    assert_no_wrong_blob(store)
    assert temporaries(store) == []


@needs_mount
def test_a_full_disk_leaves_no_partial_copy(small_disk, tmp_path):
    """A checkout that does not fit leaves no unfinished file behind."""
    store = FolderBlobStore(tmp_path / "store")
    big = random.Random(1).randbytes(3 * MIB)
    store.put(digest_of(big), ByteStream.of(big))
    with pytest.raises(Unavailable, match="No space left"):
        store.copy_to(digest_of(big), small_disk / "copy")
    assert list(small_disk.iterdir()) == []


def test_a_file_beyond_the_allowed_size_leaves_no_partial_blob(tmp_path):
    """A short write and the error after it are a full disk to the store."""
    store = FolderBlobStore(tmp_path / "store")
    content = random.Random(1).randbytes(3 * MIB)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB + 1000, limits[1]))
    try:
        with pytest.raises(Unavailable, match="can't be written"):
            store.put(digest_of(content), ByteStream.of(content))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(store.digests()) == []
    assert temporaries(store) == []


@needs_mount
def test_a_read_only_store_is_read_but_refuses_to_store(small_disk):
    """The error has the reason; what was stored before is found and read."""
    store = FolderBlobStore(small_disk / "store")
    digest = digest_of(b"before")
    store.put(digest, ByteStream.of(b"before"))
    os.utime(store.folder / digest[:2] / digest[2:], (0, 0))
    run("mount", "-o", "remount,ro", small_disk)
    with pytest.raises(Unavailable, match="Read-only file system"):
        store.put(digest_of(b"new"), ByteStream.of(b"new"))
    with pytest.raises(Unavailable, match="Read-only file system"):
        store.delete(digest)
    assert store.missing([digest]) == ()
    assert store.open(digest).read() == b"before"


def test_a_store_that_is_a_file_refuses(tmp_path):
    """A file in place of the folder is said, not a traceback of the system's."""
    (tmp_path / "store").write_text("a file")
    with pytest.raises(Unavailable, match="Not a directory"):
        FolderBlobStore(tmp_path / "store").put(digest_of(b"x"), ByteStream.of(b"x"))


def test_a_killed_process_leaves_no_wrong_blob(tmp_path, source):
    """kill -9 at ten moments: what has a name is right, what was reported is there, and storing again completes."""
    seeded = random.Random(3)
    store = FolderBlobStore(tmp_path / "store")
    for _ in range(10):
        reported = []
        with start(STORE_ONE_BY_ONE, store.folder, source) as process:
            reported.extend(process.stdout.readline().strip() for _ in range(seeded.randrange(1, 90)))
            process.kill()
        assert_no_wrong_blob(store)
        assert store.missing(digest_of((source / name).read_bytes()) for name in reported) == ()
    store.put_files(sorted(source.iterdir()))
    assert len(list(store.digests())) == 100
    store.remove_leftovers(older_than_s=0)
    assert temporaries(store) == []


def test_a_process_killed_among_a_group_leaves_no_wrong_blob(tmp_path, source):
    """The same where files are stored together, killed while blobs appear."""
    store = FolderBlobStore(tmp_path / "store")
    with start(STORE_TOGETHER, store.folder, source) as process:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        while process.poll() is None and len(list(store.digests())) < 20:
            pass
        process.kill()
    assert len(list(store.digests())) >= 20
    assert_no_wrong_blob(store)


def test_processes_store_the_same_blobs_at_once(tmp_path, source):
    """Four writers of the same files end without error and with one blob each."""
    store = FolderBlobStore(tmp_path / "store")
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(start(STORE_TOGETHER, store.folder, source)) for _ in range(4)]
        for writer in writers:
            assert writer.stdout.readline() == "ready\n"
        for writer in writers:
            writer.stdin.write("go\n")
            writer.stdin.flush()
        assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0, 0]
    assert len(list(store.digests())) == 100
    assert_no_wrong_blob(store)
    assert temporaries(store) == []


@pytest.mark.parametrize("at", [0, 0.5, 1])
def test_a_checkout_never_writes_a_damaged_file(tmp_path, at):
    """A flipped byte anywhere in a blob is named, and its file is not there."""
    (tmp_path / "tree").mkdir()
    content = random.Random(5).randbytes(2 * MIB + 17)
    (tmp_path / "tree" / "weights.bin").write_bytes(content)
    store = FolderBlobStore(tmp_path / "store")
    record = snapshot(tmp_path / "tree", store).record
    digest = record.entries[0].digest
    blob = Path(store.folder, digest[:2], digest[2:])
    damaged = bytearray(content)
    damaged[int(at * (len(content) - 1))] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(damaged)
    with pytest.raises(OperationFailed, match=digest):
        checkout(record, store, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
