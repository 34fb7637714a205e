import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.filesets.listing import digest_of, listing_bytes, load_record, parse_listing, record_of, store_tree
from amlsdk.filesets.paths import check_path, folders_of
from amlsdk.records.filesets import FileEntry
from amlsdk.storage.blobs.folder import FolderBlobStore

DIGEST = "a" * 64


def entry(path, *, digest=DIGEST, size=1, mode="file"):
    return FileEntry(path=path, digest=digest, size_bytes=size, mode=mode)


def line(*rows, version=1):
    return json.dumps({"version": version, "files": rows}, separators=(",", ":"), ensure_ascii=False).encode()


parts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0:"), min_size=1, max_size=8).filter(
    lambda part: part not in {".", ".."}
)
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)
entries_of_paths = st.builds(
    FileEntry,
    path=paths,
    digest=st.binary(min_size=32, max_size=32).map(bytes.hex),
    size_bytes=st.integers(0, (1 << 63) - 1),
    mode=st.sampled_from(["file", "executable", "link"]),
)


def is_tree(entries):
    names = [each.path for each in entries]
    return len(set(names)) == len(names) and not folders_of(names) & set(names)


trees = st.lists(entries_of_paths, max_size=8).filter(is_tree)


@given(trees)
def test_a_listing_is_read_back_sorted_by_bytes(entries):
    expected = tuple(sorted(entries, key=lambda each: each.path.encode()))
    assert parse_listing(listing_bytes(entries)) == expected


@given(trees)
def test_a_listing_is_what_the_standard_librarys_json_writes(entries):
    """The digest does not hang on which JSON library is installed."""
    rows = sorted([each.path, each.digest, each.size_bytes, each.mode] for each in entries)
    assert listing_bytes(entries) == line(*rows)


@given(trees, st.randoms(use_true_random=False))
def test_the_order_of_entries_does_not_matter(entries, random):
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert digest_of(shuffled) == digest_of(entries)


def test_the_format_of_version_1_stays():
    """A digest that is stored somewhere must be found again by every later version."""
    data = listing_bytes([entry("b/é", size=2, mode="executable"), entry("a")])
    text = '{"version":1,"files":[["a","D",1,"file"],["b/é","D",2,"executable"]]}'.replace("D", DIGEST)
    assert data == text.encode()
    assert digest_of(parse_listing(data)) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{",
        line(version=2),
        b'{"version":1}',
        b'{"version":1,"files":{}}',
        b'{"version":1, "files":[]}',
        b'{"version":1,"files":[]}\n',
        b'{"version":1,"files":[],"more":1}',
        b'{"version":true,"files":[]}',
        line(["b", DIGEST, 1, "file"], ["a", DIGEST, 1, "file"]),
        line(["a", DIGEST, 1, "file"], ["a", DIGEST, 1, "file"]),
        line(["a", DIGEST, 1, "file"], ["a/b", DIGEST, 1, "file"]),
        line(["a", DIGEST, 1, "file"], ["a-", DIGEST, 1, "file"], ["a/b/c", DIGEST, 1, "file"]),
        line(["a", DIGEST, 1]),
        line(["a", DIGEST, 1, "file", 0]),
        line("abcd"),
        line(["a", DIGEST.upper(), 1, "file"]),
        line(["a", DIGEST + "\n", 1, "file"]),
        line(["a", None, 1, "file"]),
        line(["a", DIGEST, -1, "file"]),
        line(["a", DIGEST, 1.0, "file"]),
        line(["a", DIGEST, True, "file"]),
        line(["a", DIGEST, "1", "file"]),
        line(["a", DIGEST, 1, "device"]),
        line(["a", DIGEST, 1, None]),
        line(["a", DIGEST, 1, []]),
        line([1, DIGEST, 1, "file"]),
        line(["", DIGEST, 1, "file"]),
        line(["../a", DIGEST, 1, "file"]),
    ],
)
def test_what_is_no_canonical_listing_is_refused(data):
    with pytest.raises(InvalidArgument):
        parse_listing(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_listing_or_refused(data):
    try:
        entries = parse_listing(data)
    except InvalidArgument:
        return
    assert listing_bytes(entries) == data


@pytest.mark.parametrize(
    "path",
    ["/a", "a//b", "a/", "./a", "a/./b", "..", "a/..", "a/../b", "../a", ".", "", "C:/a", "c:a", "a\0b", "a/\udc80"],
)
def test_unsafe_paths_are_refused(path):
    with pytest.raises(InvalidArgument):
        check_path(path)


@pytest.mark.parametrize("path", ["a", ".a", "..a", "a..", "a/...", "a b/c", "é/日本", "10:00.csv", "a\nb", "a\\b"])
def test_odd_but_safe_paths_are_taken(path):
    assert check_path(path) == path


def test_a_tree_is_had_from_its_digest_alone(tmp_path):
    store = FolderBlobStore(tmp_path)
    record = store_tree([entry("b"), entry("a")], store)
    assert load_record(record.digest, store) == record == record_of([entry("a"), entry("b")])


def test_a_digest_without_a_listing_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        load_record(DIGEST, FolderBlobStore(tmp_path))
