"""The builder `oci`: its contract, and what it promises beyond that."""

import gzip
import hashlib
import io
import os
import sys
import tarfile

import attrs
import pytest

from amlsdk.errors import InvalidArgument, OperationFailed
from amlsdk.images.base import Cancelled
from amlsdk.images.oci import OciBuilder
from amlsdk.images.workplace import working_folder
from amlsdk.records.images import LayerKind
from amlsdk.testing import BuilderTestCase

SCRIPT = {"score.py": b"def run(data):\n    return data\n", "service.json": b"{}"}


class TestOciBuilder(BuilderTestCase):
    def make_builder(self):
        return OciBuilder(level=1)

    def members(self, workshop, layer):
        """The members of a layer's archive."""
        with tarfile.open(fileobj=io.BytesIO(workshop.blobs.open(layer.digest).read()), mode="r:gz") as tar:
            return tar.getmembers()

    def test_layers_come_with_what_changes_often_on_top(self, workshop):
        manifest = workshop.manifest()
        two = workshop.manifest(models=(*manifest.models, workshop.model("second", {"other.bin": b"2"})))
        kinds = [layer.kind for layer in self.build(workshop, two).layers]
        foundation = ["base", "python"] if sys.platform == "linux" else []
        assert kinds == [*foundation, "dependencies", "runtime", "model", "model", "script"]

    @pytest.mark.parametrize("kind", [LayerKind.SCRIPT, LayerKind.MODEL, LayerKind.DEPENDENCIES, LayerKind.RUNTIME])
    def test_a_change_rewrites_its_own_layer_only(self, workshop, kind):
        manifest = workshop.manifest()
        adding, own = manifest.dependencies
        changes = {
            LayerKind.SCRIPT: {"files": workshop.tree(SCRIPT)},
            LayerKind.MODEL: {"models": (workshop.model("weights", {"model.bin": b"new", "more/notes.txt": b""}),)},
            LayerKind.DEPENDENCIES: {"dependencies": (workshop.dependency("adding", {"adding.py": b"#"}), own)},
            LayerKind.RUNTIME: {"dependencies": (adding, workshop.dependency("amlsdk", {"serve.py": b"#"}))},
        }
        before = self.build(workshop, manifest)
        workshop.said.clear()
        after = self.build(workshop, attrs.evolve(manifest, **changes[kind]))
        changed = {old.kind for old, new in zip(before.layers, after.layers, strict=True) if old.digest != new.digest}
        assert changed == {kind}
        assert sum("written" in line for line in workshop.said) == 1

    def test_a_build_without_its_cache_gives_the_same_bytes(self, workshop):
        manifest = workshop.manifest()
        first = self.build(workshop, manifest)
        work = attrs.evolve(workshop.work(manifest), cache=workshop.folder / "other-cache")
        again = self.make_builder().build(work)
        assert again == first
        assert sum("written" in line for line in workshop.said) == len(first.layers)

    def test_a_layer_that_was_collected_is_written_again(self, workshop):
        manifest = workshop.manifest()
        before = self.build(workshop, manifest)
        workshop.blobs.delete(before.layers[-1].digest)
        assert self.build(workshop, manifest) == before
        assert workshop.blobs.missing([before.layers[-1].digest]) == ()

    def test_a_damaged_cache_costs_only_time(self, workshop):
        manifest = workshop.manifest()
        before = self.build(workshop, manifest)
        for number, file in enumerate(sorted((workshop.cache / "images").glob("*.json"))):
            file.write_bytes([b"", b"{", b"[]", b'{"kind": "base"}', b"null"][number % 5])
        assert self.build(workshop, manifest) == before

    def test_entries_are_sorted_and_say_nothing_of_who_built_them(self, workshop):
        modes = {"run.sh": "executable", "alias": "link"}
        files = workshop.tree({**SCRIPT, "run.sh": b"#!/bin/sh\n", "alias": b"score.py"}, modes=modes)
        layer = self.build(workshop, workshop.manifest(files=files)).layers[-1]
        members = self.members(workshop, layer)
        assert [member.name for member in members] == sorted(member.name for member in members)
        assert {(one.uid, one.gid, one.uname, one.gname, one.mtime) for one in members} == {(0, 0, "", "", 0)}
        shown = {one.name.removeprefix("opt/amlsdk/app/"): (one.mode, one.linkname) for one in members}
        assert shown["run.sh"] == (0o755, "")
        assert shown["score.py"] == (0o644, "")
        assert shown["alias"] == (0o777, "score.py")
        assert shown["opt/amlsdk/app"] == (0o755, "")

    def test_the_gzip_header_has_no_name_time_or_system(self, workshop):
        layer = self.build(workshop, workshop.manifest()).layers[-1]
        content = workshop.blobs.open(layer.digest).read()
        assert content[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
        assert hashlib.sha256(gzip.decompress(content)).hexdigest() == layer.diff_id

    def test_the_epoch_is_the_time_of_everything(self, workshop, monkeypatch):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        built = self.build(workshop, workshop.manifest(app={"score.py": b"1"}, dependencies=(), models=()))
        assert {member.mtime for member in self.members(workshop, built.layers[-1])} == {1_700_000_000}
        assert workshop.configuration(built)["created"] == "2023-11-14T22:13:20Z"

    @pytest.mark.parametrize("text", ["yesterday", "-1", "1.5", "", "9" * 30])
    def test_an_epoch_that_is_no_time_is_refused(self, workshop, monkeypatch, text):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", text)
        with pytest.raises(InvalidArgument, match="SOURCE_DATE_EPOCH"):
            self.build(workshop, workshop.manifest())

    def test_another_python_is_refused(self, workshop):
        with pytest.raises(InvalidArgument, match=r"is for Python 2\.7 on .*; this is Python 3"):
            OciBuilder().check(workshop.manifest(python="2.7"), "host")

    def test_a_file_of_the_script_goes_before_one_of_a_model(self, workshop):
        """Where both have the same name, the script's own folder is as its author made it; the first model is next."""
        models = (workshop.model("one", {"a": b"1", "b": b"1"}), workshop.model("two", {"b": b"2", "c": b"2"}))
        built = self.build(workshop, workshop.manifest(app={"a": b"own", "score.py": b""}, models=models))
        links = {one.name: one.linkname for one in self.members(workshop, built.layers[-1]) if one.issym()}
        assert links == {"opt/amlsdk/app/b": "../models/one/b", "opt/amlsdk/app/c": "../models/two/c"}

    def test_two_packages_with_one_file_are_refused_where_it_differs(self, workshop):
        own = workshop.manifest().dependencies
        same = (*own, workshop.dependency("also", {"adding/__init__.py": b"", "shared.py": b"1"}))
        with pytest.raises(OperationFailed, match=r"adding and also both have .*adding/__init__\.py"):
            self.build(workshop, workshop.manifest(dependencies=same))

    def test_a_file_that_is_a_folder_elsewhere_is_refused(self, workshop):
        odd = (*workshop.manifest().dependencies, workshop.dependency("odd", {"adding": b""}))
        with pytest.raises(OperationFailed, match="the files of dependencies can't be together"):
            self.build(workshop, workshop.manifest(dependencies=odd))

    def test_a_tree_that_is_not_what_was_asked_for_is_refused(self, workshop):
        manifest = workshop.manifest(app={"score.py": b"as it was"})
        entries = workshop.trees[workshop.tree({"score.py": b"swapped"})].entries
        workshop.trees[manifest.files] = attrs.evolve(workshop.trees[manifest.files], entries=entries)
        with pytest.raises(OperationFailed, match="is another tree"):
            self.build(workshop, manifest)

    def test_a_link_that_leaves_its_folder_is_refused(self, workshop):
        files = workshop.tree({"score.py": b"", "out": b"../../etc/shadow"}, modes={"out": "link"})
        with pytest.raises(InvalidArgument, match="leaves the folder"):
            self.build(workshop, workshop.manifest(files=files))

    def test_a_cancelled_layer_leaves_no_file(self, workshop):
        """A build that ends in the middle of writing a layer leaves neither a file nor a folder behind."""
        manifest = workshop.manifest(app={**SCRIPT, "big.bin": bytes(8 << 20)})

        def step(text):
            if text.startswith("script: 8 of"):
                raise Cancelled(text)

        with pytest.raises(Cancelled):
            self.build(workshop, manifest, step=step)
        assert list((workshop.cache / "images" / "work").iterdir()) == []

    def test_progress_is_told_in_megabytes(self, workshop):
        self.build(workshop, workshop.manifest(app={**SCRIPT, "z.bin": bytes(range(256)) * 20_000}))
        assert "script: 0 of 5 MB" in workshop.steps
        line = next(line for line in workshop.said if line.startswith("script: written"))
        assert "MB stored, 5.1 MB unpacked" in line

    def test_leftovers_of_killed_builds_are_removed_and_those_of_others_are_not(self, workshop):
        """A folder belongs to a build as long as that holds its lock."""
        work = workshop.cache / "images" / "work"
        with working_folder(work) as of_another:
            left = work / "left"
            left.mkdir()
            (left / "layer").write_bytes(b"half")
            for folder in (of_another, left):
                os.utime(folder, (0, 0))
            self.build(workshop, workshop.manifest())
            assert [path.name for path in work.iterdir()] == [of_another.name]
        assert list(work.iterdir()) == []
