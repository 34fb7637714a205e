"""The parts of the builder `oci`: gzip, tar, ELF and the libraries of this machine."""

import gzip
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlsdk.errors import OperationFailed
from amlsdk.images.elf import MAGIC, read_elf, read_elf_file
from amlsdk.images.gzipping import GzipWriter
from amlsdk.images.host import program_of_host, python_of_host
from amlsdk.images.items import Item, bytes_item, file_item, link_item, with_folders
from amlsdk.images.knownfiles import KnownFiles
from amlsdk.images.tarring import tar_chunks

linux = pytest.mark.skipif(sys.platform != "linux", reason="ELF is the format of Linux")


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    """The Python of this machine."""
    return python_of_host(KnownFiles(tmp_path_factory.mktemp("known") / "files.json"))


def packed(parts, level=4):
    file = io.BytesIO()
    with GzipWriter(file, level=level) as writer:
        for part in parts:
            writer.write(part)
        digests = writer.finish()
    return file.getvalue(), digests


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5_000_000])
def test_gzip_gives_back_what_was_written(size):
    content = (random.Random(size).randbytes(1 + size // 3) * 3)[:size]
    blob, (plain, whole) = packed([content])
    assert gzip.decompress(blob) == content
    assert plain == hashlib.sha256(content).hexdigest()
    assert whole == hashlib.sha256(blob).hexdigest()


@settings(max_examples=20)
@given(st.lists(st.integers(0, 400_000), max_size=12))
def test_gzip_does_not_depend_on_how_the_content_is_cut(sizes):
    parts = [bytes([number]) * size for number, size in enumerate(sizes)]
    assert packed(parts)[0] == packed([b"".join(parts)])[0]


def test_gzip_is_nearly_as_small_as_in_one_piece():
    """Blocks begin with the window of the block before, as in one piece."""
    words = random.Random(1).choices([random.Random(n).randbytes(30) for n in range(500)], k=100_000)
    content = b"".join(words)
    assert len(packed([content], 6)[0]) < 1.02 * len(zlib.compress(content, 6))


def tarred(items, epoch=0):
    return b"".join(tar_chunks(items, epoch=epoch))


def test_tar_reads_back_with_long_and_foreign_names():
    long = f"{'folder/' * 30}{'n' * 120}.txt"
    items = with_folders([bytes_item(long, b"1"), bytes_item("ä/ö.txt", b"22"), link_item("l" * 110, "t" * 200)])
    with tarfile.open(fileobj=io.BytesIO(tarred(items))) as tar:
        found = {one.name: one for one in tar}
        assert tar.extractfile(long).read() == b"1"
        assert tar.extractfile("ä/ö.txt").read() == b"22"
        assert found["l" * 110].linkname == "t" * 200
        assert found["folder"].isdir()


def test_a_file_that_changed_its_size_is_an_error_and_no_broken_archive():
    wrong = Item(path="a", digest="0" * 64, size_bytes=5, read=lambda: (b"1234",))
    with pytest.raises(OperationFailed, match="'a' has 4 bytes and not 5"):
        tarred([wrong])


def test_a_file_of_this_machine_that_changes_meanwhile_is_an_error(tmp_path):
    (tmp_path / "lib").write_bytes(b"before")
    item = file_item("lib", str(tmp_path / "lib"), KnownFiles(tmp_path / "known.json"))
    (tmp_path / "lib").write_bytes(b"change")
    with pytest.raises(OperationFailed, match="changed while it was read"):
        tarred([item])


def test_a_file_is_hashed_again_only_where_it_changed(tmp_path):
    """A file that was just written is not trusted yet: it may change again and look the same."""
    file, memory = tmp_path / "lib", tmp_path / "known.json"
    file.write_bytes(b"one")
    first = KnownFiles(memory)
    assert first.digest(str(file)) == (hashlib.sha256(b"one").hexdigest(), 3)
    first.save()
    assert not memory.exists()
    old = [3, 1, 1, file.stat().st_ino, file.stat().st_dev]
    memory.write_text(json.dumps({str(file): [*old, "remembered"]}))
    assert KnownFiles(memory).digest(str(file))[0] == hashlib.sha256(b"one").hexdigest()
    found = file.stat()
    state = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]
    memory.write_text(json.dumps({str(file): [*state, "remembered"]}))
    assert KnownFiles(memory).digest(str(file)) == ("remembered", 3)
    for damaged in ("", "[]", '{"a": 1}', json.dumps({str(file): 5})):
        memory.write_text(damaged)
        assert KnownFiles(memory).digest(str(file))[0] == hashlib.sha256(b"one").hexdigest()
    with pytest.raises(OperationFailed, match="is gone"):
        KnownFiles(memory).digest(str(tmp_path / "absent"))


@linux
def test_needs_are_those_that_ldd_tells():
    program, elf = program_of_host()
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    assert set(elf.needed) <= {line.split()[0] for line in done.stdout.splitlines()}
    assert elf.interpreter in done.stdout


@pytest.mark.parametrize("content", [b"", b"\x7fELF", MAGIC + bytes(60), b"#!/bin/sh\n" * 20])
def test_what_is_no_elf_file_has_no_needs(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    assert read_elf_file(tmp_path / "x") is None or read_elf_file(tmp_path / "x").needed == ()
    assert read_elf_file(tmp_path / "absent") is None


@linux
@settings(max_examples=200)
@given(st.randoms(use_true_random=False))
def test_a_damaged_elf_file_never_raises(damage):
    content = bytearray(_MODULE)
    for _ in range(damage.randint(1, 20)):
        content[damage.randrange(min(len(content), 8000))] = damage.randrange(256)
    read_elf(lambda offset, size: bytes(content[offset : offset + size]))


def _module():
    import _ctypes

    return Path(_ctypes.__file__).read_bytes() if hasattr(_ctypes, "__file__") else b""


_MODULE = _module() if sys.platform == "linux" else b""


@linux
def test_libraries_are_found_where_the_loader_finds_them(host):
    """Each library that ldd names for this Python's modules is among those found, as the same file."""
    import _ssl

    _, found = host.system_items()
    done = subprocess.run(["ldd", _ssl.__file__], capture_output=True, text=True, check=True)
    for line in done.stdout.splitlines():
        name, arrow, rest = line.partition(" => ")
        if arrow:
            assert os.path.samefile(found.paths[name.strip()], rest.split()[0])


@linux
def test_a_library_for_another_machine_does_not_fit(host, tmp_path):
    name = next(iter(host.elf.needed))
    other = bytearray((host.libraries.named([name]).paths[name]).read_bytes())
    other[18:20] = b"\xff\x7f"
    (tmp_path / name).write_bytes(other)
    wanted = attrs.evolve(host.elf, needed=(name,), rpath=(str(tmp_path),))
    found = host.libraries.closure([(tmp_path / "program", wanted)])
    assert found.paths[name].parent != tmp_path


@linux
def test_the_standard_library_comes_without_what_no_service_needs(host):
    paths = [item.path for item in host.items()]
    assert any(path.endswith("/asyncio/__init__.py") for path in paths)
    unwanted = ("/test/", "/idlelib/", "/tkinter/", "/ensurepip/", "/__pycache__/", "/site-packages/", "_tkinter.")
    assert [path for path in paths if any(part in path for part in unwanted)] == []
