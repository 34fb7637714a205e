"""What every blob store must pass."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from amlsdk.errors import Conflict, InvalidArgument, NotFound, OperationFailed
from amlsdk.records.filesets import MOST_PARTS, PART_BYTES
from amlsdk.records.streams import CHUNK, ByteStream
from amlsdk.storage.blobs.base import BlobStore

__all__ = ["BlobStoreTestCase"]

_BIG = bytes(range(256)) * (3 * CHUNK // 256) + b"and a part of a chunk"
_NOT_DIGESTS = ("", "a", "g" * 64, "A" * 64, "../" + "a" * 61, "a" * 64 + "\n", "a" * 65)


_LARGE = bytes(range(256)) * (PART_BYTES // 256) + b"and a part of a part"
_LARGE_DIGEST = hashlib.sha256(_LARGE).hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class BlobStoreTestCase:
    """Subclass it as `TestMyStore`, override the two methods, and pytest runs the contract of `BlobStore`."""

    def make_store(self, folder: Path) -> BlobStore:
        """Return an empty store; `folder` is an empty folder it may use.

        Called again with the same folder, return a second store over the same blobs.
        """
        raise NotImplementedError

    def damage(self, store: BlobStore, digest: str) -> None:
        """Change a byte of a blob where it lies, past the store."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> BlobStore:
        """An empty store."""
        return self.make_store(tmp_path / "store")

    @pytest.mark.parametrize("content", [b"", b"x", b"x" * CHUNK, _BIG], ids=["empty", "byte", "chunk", "chunks"])
    def test_what_is_put_is_read_back(self, store: BlobStore, content: bytes) -> None:
        """A stored stream is read back byte for byte, with its size."""
        digest = _digest(content)
        assert store.put(digest, ByteStream.of(content)) == len(content)
        assert store.open(digest).read() == content
        assert store.size(digest) == len(content)

    def test_a_stream_may_be_read_twice(self, store: BlobStore) -> None:
        """An opened blob begins again each time it is iterated over."""
        store.put(_digest(_BIG), ByteStream.of(_BIG))
        stream = store.open(_digest(_BIG))
        assert stream.read() == stream.read() == _BIG

    def test_reading_from_a_byte(self, store: BlobStore) -> None:
        """`start` skips bytes; a start outside of the blob is refused."""
        store.put(_digest(_BIG), ByteStream.of(_BIG))
        assert store.open(_digest(_BIG), start=CHUNK + 7).read() == _BIG[CHUNK + 7 :]
        assert store.open(_digest(_BIG), start=len(_BIG)).read() == b""
        for start in (-1, len(_BIG) + 1):
            with pytest.raises(InvalidArgument):
                store.open(_digest(_BIG), start=start)

    def test_content_with_another_digest_is_refused(self, store: BlobStore) -> None:
        """Nothing is kept of content that does not have the digest it is sent under."""
        with pytest.raises(InvalidArgument, match=_digest(b"said")):
            store.put(_digest(b"said"), ByteStream.of(b"sent"))
        assert list(store.digests()) == []

    def test_a_stream_that_breaks_leaves_nothing(self, store: BlobStore) -> None:
        """The error of a stream comes through, and no blob is kept."""

        def broken() -> list[bytes]:
            raise ConnectionResetError("the peer is gone")

        with pytest.raises(ConnectionResetError):
            store.put(_digest(b"x"), ByteStream(begin=broken))
        assert list(store.digests()) == []

    def test_putting_again_reads_nothing(self, store: BlobStore) -> None:
        """Content that is stored already is not read again."""
        store.put(_digest(b"once"), ByteStream.of(b"once"))

        def unread() -> list[bytes]:
            raise AssertionError("the stream was begun")

        assert store.put(_digest(b"once"), ByteStream(begin=unread)) == len(b"once")
        assert [digest for digest, _, _ in store.digests()] == [_digest(b"once")]

    def test_files_are_stored_by_content(self, store: BlobStore, tmp_path: Path) -> None:
        """A stored file's digest and size are returned; equal files are one blob."""
        paths = [tmp_path / name for name in ("a", "b", "c")]
        for path, content in zip(paths, (_BIG, b"same", b"same"), strict=True):
            path.write_bytes(content)
        assert store.put_file(paths[0]) == (_digest(_BIG), len(_BIG))
        stored = store.put_files([*paths, tmp_path / "gone"])
        assert {path: (found.digest, found.size_bytes) for path, found in stored.items()} == {
            path: (_digest(path.read_bytes()), path.stat().st_size) for path in paths
        }
        assert {found.digest for found in stored.values() if found.is_new} == {_digest(b"same")}
        assert not any(found.is_new for found in store.put_files(paths).values())
        assert {digest for digest, _, _ in store.digests()} == {_digest(_BIG), _digest(b"same")}

    def test_a_file_with_another_digest_is_refused(self, store: BlobStore, tmp_path: Path) -> None:
        """A file is stored under the digest expected, or not at all."""
        (tmp_path / "file").write_bytes(b"changed")
        with pytest.raises(InvalidArgument, match="file"):
            store.put_file(tmp_path / "file", digest=_digest(b"before"))
        with pytest.raises(NotFound, match="nowhere"):
            store.put_file(tmp_path / "nowhere")
        assert list(store.digests()) == []

    def test_missing_names_each_absent_blob_once(self, store: BlobStore) -> None:
        """`missing` keeps the order asked and leaves out what is stored."""
        store.put(_digest(b"here"), ByteStream.of(b"here"))
        asked = [_digest(b"2"), _digest(b"here"), _digest(b"1"), _digest(b"2")]
        assert store.missing(asked) == (_digest(b"2"), _digest(b"1"))
        assert store.missing([]) == ()
        assert store.sizes(asked) == {_digest(b"here"): len(b"here")}

    def test_absent_blobs_are_not_found(self, store: BlobStore, tmp_path: Path) -> None:
        """Reading what is not stored is `NotFound`, naming the digest, and makes no file."""
        absent = _digest(b"absent")
        for read in (store.open, store.size, lambda digest: store.copy_to(digest, tmp_path / "out")):
            with pytest.raises(NotFound, match=absent):
                read(absent)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("digest", _NOT_DIGESTS)
    def test_what_is_no_digest_is_refused(self, store: BlobStore, digest: str, tmp_path: Path) -> None:
        """No method takes a text that could name something else than a blob."""
        (tmp_path / "file").write_bytes(b"x")
        for use in (
            store.open,
            store.size,
            store.delete,
            store.parts,
            lambda it: store.put_part(it, 0, ByteStream.of(b"x")),
            lambda it: store.finish(it, 1),
            lambda it: store.missing([it]),
            lambda it: store.put(it, ByteStream.of(b"x")),
            lambda it: store.put_file(tmp_path / "file", digest=it),
            lambda it: store.copy_to(it, tmp_path / "out"),
        ):
            with pytest.raises(InvalidArgument):
                use(digest)

    def test_copies_are_whole_files(self, store: BlobStore, tmp_path: Path) -> None:
        """`copy_to` writes a file one may change without changing the blob, and replaces one that is there."""
        store.put(_digest(_BIG), ByteStream.of(_BIG))
        target = tmp_path / "out"
        target.write_bytes(b"older")
        store.copy_to(_digest(_BIG), target)
        assert target.read_bytes() == _BIG
        with target.open("r+b") as file:
            file.write(b"changed")
        assert store.open(_digest(_BIG)).read() == _BIG

    @pytest.mark.parametrize("content", [b"small", _BIG], ids=["small", "chunks"])
    def test_a_damaged_blob_is_never_handed_out_whole(self, store: BlobStore, content: bytes, tmp_path: Path) -> None:
        """Damage is an error that names the blob: before the last bytes of a stream, and before a copy has a name."""
        digest = _digest(content)
        store.put(digest, ByteStream.of(content))
        self.damage(store, digest)
        read: list[bytes] = []
        with pytest.raises(OperationFailed, match=digest):
            read.extend(store.open(digest))
        assert sum(map(len, read)) < len(content)
        with pytest.raises(OperationFailed, match=digest):
            store.copy_to(digest, tmp_path / "out")
        assert [path for path in tmp_path.iterdir() if path.name != "store"] == []

    def test_a_damaged_blob_can_be_stored_again(self, store: BlobStore) -> None:
        """After it is deleted, the content is taken anew."""
        digest = _digest(b"content")
        store.put(digest, ByteStream.of(b"content"))
        self.damage(store, digest)
        store.delete(digest)
        store.put(digest, ByteStream.of(b"content"))
        assert store.open(digest).read() == b"content"

    def test_deleting(self, store: BlobStore) -> None:
        """A deleted blob is gone, and deleting it again is no error."""
        digest = _digest(b"x")
        store.put(digest, ByteStream.of(b"x"))
        assert store.delete(digest)
        assert store.delete(digest)
        assert store.missing([digest]) == (digest,)

    def test_a_blob_that_was_used_meanwhile_stays(self, store: BlobStore) -> None:
        """Whoever collects garbage takes nothing that was used after it was looked at."""
        digest = _digest(b"x")
        store.put(digest, ByteStream.of(b"x"))
        assert not store.delete(digest, unless_used_since=time.time() - 60)
        assert store.missing([digest]) == ()
        assert store.delete(digest, unless_used_since=time.time() + 60)
        assert store.missing([digest]) == (digest,)

    def test_listing(self, store: BlobStore) -> None:
        """All blobs are listed with size and a time of use of just now."""
        before = time.time() - 3600
        contents = [b"", b"a", b"bc"]
        for content in contents:
            store.put(_digest(content), ByteStream.of(content))
        listed = {digest: (size, used) for digest, size, used in store.digests()}
        assert {digest: size for digest, (size, _) in listed.items()} == {_digest(it): len(it) for it in contents}
        assert all(before < used <= time.time() + 60 for _, used in listed.values())

    def test_two_stores_over_the_same_blobs(self, tmp_path: Path) -> None:
        """What one store writes, another over the same place has."""
        first, second = self.make_store(tmp_path / "store"), self.make_store(tmp_path / "store")
        first.put(_digest(b"shared"), ByteStream.of(b"shared"))
        assert second.missing([_digest(b"shared")]) == ()
        assert second.open(_digest(b"shared")).read() == b"shared"

    def test_a_blob_comes_in_parts(self, store: BlobStore) -> None:
        """Parts in any order are no blob until they are finished, and are then no parts any more."""
        store.put_part(_LARGE_DIGEST, 1, ByteStream.of(_LARGE[PART_BYTES:]))
        assert store.parts(_LARGE_DIGEST) == {1: len(_LARGE) - PART_BYTES}
        store.put_part(_LARGE_DIGEST, 0, ByteStream.of(_LARGE[:PART_BYTES]))
        assert store.missing([_LARGE_DIGEST]) == (_LARGE_DIGEST,)
        assert list(store.digests()) == []
        assert store.finish(_LARGE_DIGEST, 2) == store.finish(_LARGE_DIGEST, 2) == len(_LARGE)
        assert store.parts(_LARGE_DIGEST) == {}
        assert _digest(store.open(_LARGE_DIGEST).read()) == _LARGE_DIGEST
        [(_, _, used)] = store.digests()
        assert time.time() - used < 3600

    def test_parts_of_a_stored_blob_are_not_kept(self, store: BlobStore) -> None:
        """Whoever sends parts of what is stored by now reads none of them in vain."""

        def unread() -> list[bytes]:
            raise AssertionError("the stream was begun")

        store.put(_digest(b"x"), ByteStream.of(b"x"))
        store.put_part(_digest(b"x"), 0, ByteStream(begin=unread))
        assert store.parts(_digest(b"x")) == {}
        assert store.finish(_digest(b"x"), 1) == 1

    def test_missing_parts_are_named(self, store: BlobStore) -> None:
        """A blob that lacks parts is not finished, and what has come of it is kept."""
        store.put_part(_LARGE_DIGEST, 1, ByteStream.of(b"short"))
        store.put_part(_LARGE_DIGEST, 2, ByteStream.of(b"last"))
        with pytest.raises(Conflict, match="missing or too short is 0, 1;"):
            store.finish(_LARGE_DIGEST, 3)
        assert store.parts(_LARGE_DIGEST) == {1: len(b"short"), 2: len(b"last")}

    def test_a_part_takes_the_place_of_the_one_before(self, store: BlobStore) -> None:
        """What is sent again counts, also where it is shorter."""
        store.put_part(_digest(b"right"), 0, ByteStream.of(b"wrong and longer"))
        store.put_part(_digest(b"right"), 0, ByteStream.of(b"right"))
        assert store.finish(_digest(b"right"), 1) == len(b"right")
        assert store.open(_digest(b"right")).read() == b"right"

    def test_parts_with_another_digest_are_refused(self, store: BlobStore) -> None:
        """None of them is kept, so that whoever has the content sends all of it."""
        store.put_part(_digest(b"said"), 0, ByteStream.of(b"sent"))
        with pytest.raises(InvalidArgument, match=_digest(b"said")):
            store.finish(_digest(b"said"), 1)
        assert store.parts(_digest(b"said")) == {}
        assert list(store.digests()) == []

    @pytest.mark.parametrize("number", [-1, MOST_PARTS])
    def test_a_part_has_its_number(self, store: BlobStore, number: int) -> None:
        """Parts out of range are refused."""
        with pytest.raises(InvalidArgument, match=f"parts 0 to {MOST_PARTS - 1}"):
            store.put_part(_LARGE_DIGEST, number, ByteStream.of(b"x"))

    @pytest.mark.parametrize("parts", [-1, 0, MOST_PARTS + 1])
    def test_a_blob_has_some_parts(self, store: BlobStore, parts: int) -> None:
        """No blob has none, or more than can be."""
        with pytest.raises(InvalidArgument, match=f"1 to {MOST_PARTS} parts"):
            store.finish(_LARGE_DIGEST, parts)

    @pytest.mark.parametrize("size", [0, PART_BYTES + 1])
    def test_a_part_has_a_size(self, store: BlobStore, size: int) -> None:
        """Parts that are empty or too large are refused, and not kept."""
        with pytest.raises(InvalidArgument, match="part 3"):
            store.put_part(_LARGE_DIGEST, 3, ByteStream.of(bytes(size)))
        assert store.parts(_LARGE_DIGEST) == {}

    def test_a_part_that_breaks_is_none(self, store: BlobStore) -> None:
        """The error of a stream comes through."""

        def broken() -> Iterator[bytes]:
            yield b"begin"
            raise ConnectionResetError("the peer is gone")

        with pytest.raises(ConnectionResetError):
            store.put_part(_LARGE_DIGEST, 0, ByteStream(begin=broken))
        assert store.parts(_LARGE_DIGEST) == {}

    def test_parts_are_removed_once_they_are_old(self, store: BlobStore) -> None:
        """What nobody finishes does not stay for ever; what is under way does."""
        store.put_part(_LARGE_DIGEST, 0, ByteStream.of(b"begin"))
        assert store.remove_leftovers() == 0
        assert store.parts(_LARGE_DIGEST) == {0: len(b"begin")}
        # Clocks of stores count in seconds.
        assert store.remove_leftovers(older_than_s=-2) == 1
        assert store.parts(_LARGE_DIGEST) == {}

    def test_many_send_and_finish_the_same_blob(self, store: BlobStore) -> None:
        """Of several that send the same parts and finish them at once, none fails."""

        def send(_: int) -> int:
            for number in range(2):
                part = _LARGE[number * PART_BYTES :][:PART_BYTES]
                store.put_part(_LARGE_DIGEST, number, ByteStream.of(part))
            return store.finish(_LARGE_DIGEST, 2)

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(send, range(4))) == [len(_LARGE)] * 4
        assert _digest(store.open(_LARGE_DIGEST).read()) == _LARGE_DIGEST
        assert [digest for digest, _, _ in store.digests()] == [_LARGE_DIGEST]
