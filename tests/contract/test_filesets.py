import pytest
from making import make_tree, store

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.operations.filesets import CreateFileSet, GetFileSet
from amlsdk.records.filesets import FileEntry


def test_a_tree_is_read_back_sorted(service):
    made = make_tree(service, {"b.txt": b"2", "a/é.txt": b"1", "a.txt": b""})
    assert [entry.path for entry in made.entries] == ["a.txt", "a/é.txt", "b.txt"]
    assert service.send(GetFileSet(digest=made.digest)) == made
    assert made.size_bytes == 2


def test_equal_trees_have_one_digest(service):
    first, second = {"a": b"1", "b": b"2"}, {"b": b"2", "a": b"1"}
    assert make_tree(service, first).digest == make_tree(service, second).digest
    assert make_tree(service, first).digest != make_tree(service, {"a": b"2", "b": b"1"}).digest


def test_an_empty_tree_is_one(service):
    made = make_tree(service, {})
    assert service.send(GetFileSet(digest=made.digest)).entries == ()


def test_a_tree_whose_blobs_are_not_stored_is_refused_by_name(service):
    lost = FileEntry(path="lost.txt", digest="0" * 64, size_bytes=1)
    with pytest.raises(InvalidArgument, match=rf"'lost.txt' \({'0' * 64}\)"):
        service.send(CreateFileSet(entries=(store(service, "kept.txt", b"1"), lost)))


@pytest.mark.parametrize("path", ["/etc/passwd", "../up", "a/../b", "", "a\0b"])
def test_a_path_that_leads_out_of_the_tree_is_refused(service, path):
    with pytest.raises(InvalidArgument):
        make_tree(service, {path: b"1"})


def test_a_path_is_there_once(service):
    entry = store(service, "a", b"1")
    with pytest.raises(InvalidArgument, match="twice"):
        service.send(CreateFileSet(entries=(entry, entry)))


def test_an_absent_tree_is_not_found(service):
    with pytest.raises(NotFound, match="f" * 64):
        service.send(GetFileSet(digest="f" * 64))


def test_a_blob_is_not_a_tree(service):
    entry = store(service, "a", b'{"version":1,"files":[]}')
    with pytest.raises(NotFound):
        service.send(GetFileSet(digest=entry.digest))
