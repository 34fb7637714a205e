"""What every builder of images must pass."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
import platform
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest

from amlsdk.errors import AmlError, InvalidArgument
from amlsdk.filesets.layers import unpack_layer
from amlsdk.filesets.listing import store_tree
from amlsdk.images.base import Builder, BuildWork, BuiltImage, Cancelled
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.ids import new_id
from amlsdk.records.images import HOST_BASE, ImageRecord, ImageStatus, LayerKind
from amlsdk.records.manifests import Dependency, ManifestModel, ManifestRecord
from amlsdk.records.serving import BUNDLE
from amlsdk.records.streams import ByteStream
from amlsdk.storage.blobs.folder import FolderBlobStore

__all__ = ["BuilderTestCase", "Workshop"]

_ABOVE_PYTHON = frozenset({LayerKind.DEPENDENCIES, LayerKind.RUNTIME, LayerKind.MODEL, LayerKind.SCRIPT})
_DEPENDENCY = {"adding/__init__.py": b"def add(a, b):\n    return a + b\n"}
_SERVE = {"serve.py": b"print('serving')\n", "amlsdk/__init__.py": b""}
_MODEL = {"model.bin": b"weights", "more/notes.txt": b"trained"}
_APP = {"score.py": b"from adding import add\n", "service.json": b"{}"}


class Workshop:
    """A folder with a blob store, and the makings of manifests in it.

    Args:
        folder: An empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = FolderBlobStore(folder / "blobs")
        self.cache = folder / "cache"
        self.trees: dict[str, FileSetRecord] = {}
        self.kept: list[FileSetRecord] = []
        self.said: list[str] = []
        self.steps: list[str] = []

    def tree(self, files: Mapping[str, bytes], *, modes: Mapping[str, str] | None = None) -> str:
        """Store files and return the digest of their FileSet."""
        entries = []
        for path, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            self.blobs.put(digest, ByteStream.of(content))
            mode = (modes or {}).get(path, "file")
            entries.append(FileEntry(path=path, digest=digest, size_bytes=len(content), mode=mode))
        record = store_tree(entries, self.blobs)
        self.trees[record.digest] = record
        return record.digest

    def dependency(self, name: str, files: Mapping[str, bytes], *, purpose: str = "scoring") -> Dependency:
        """Return a dependency that has these files."""
        size = sum(map(len, files.values()))
        return Dependency(name=name, version="1.0", files=self.tree(files), size_bytes=size, purpose=purpose)

    def model(self, name: str, files: Mapping[str, bytes]) -> ManifestModel:
        """Return a model that has these files."""
        return ManifestModel(id=new_id(), name=name, version=1, digest=self.tree(files), format="files")

    def manifest(self, *, app: Mapping[str, bytes] = _APP, **changes: Any) -> ManifestRecord:
        """Return a manifest for this machine, with one model, one dependency and a runtime."""
        fields: dict[str, Any] = {
            "id": new_id(),
            "name": "sums",
            "version": 1,
            "digest": "",
            "models": (self.model("weights", _MODEL),),
            "files": self.tree(app),
            "script": "score.py",
            "python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "platform": f"{platform.system()}-{platform.machine()}".lower(),
            "user": "tester",
            "created_at": dt.datetime.now(dt.timezone.utc),
            "dependencies": (
                self.dependency("adding", _DEPENDENCY),
                self.dependency("amlsdk", _SERVE, purpose="runtime"),
            ),
        } | changes
        made_of = [fields["files"], *(model.digest for model in fields["models"])]
        made_of += [dependency.files for dependency in fields["dependencies"]]
        fields["digest"] = fields["digest"] or hashlib.sha256("".join(made_of).encode()).hexdigest()
        return ManifestRecord(**fields)

    def image(self, *, name: str = "sums", version: int = 1, base: str = HOST_BASE) -> ImageRecord:
        """Return the record of an image that is being built."""
        return ImageRecord(
            id=new_id(),
            name=name,
            version=version,
            manifest_id=new_id(),
            builder="tested",
            base=base,
            status=ImageStatus.BUILDING,
            user="tester",
            created_at=dt.datetime.now(dt.timezone.utc),
        )

    def work(
        self,
        manifest: ManifestRecord,
        *,
        image: ImageRecord | None = None,
        base: str = HOST_BASE,
        step: Callable[[str], None] | None = None,
        lineage: Mapping[str, str] | None = None,
    ) -> BuildWork:
        """Return the work of building a manifest."""
        return BuildWork(
            manifest=manifest,
            image=image or self.image(base=base),
            base=base,
            blobs=self.blobs,
            fileset=self.trees.__getitem__,
            keep=self.kept.append,
            lineage=lineage or {},
            cache=self.cache,
            say=self.said.append,
            step=step or self.steps.append,
        )

    def json(self, digest: str) -> Any:
        """Return a stored blob that is JSON."""
        return orjson.loads(self.blobs.open(digest).read())

    def configuration(self, built: BuiltImage) -> Any:
        """Return the configuration of an image."""
        return self.json(self.json(built.digest)["config"]["digest"].removeprefix("sha256:"))


class BuilderTestCase:
    """Subclass it as `TestMyBuilder`, override `make_builder`, and pytest runs the contract of `Builder`."""

    base = HOST_BASE

    def make_builder(self) -> Builder:
        """Return a builder."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def workshop(cls, tmp_path_factory: pytest.TempPathFactory) -> Workshop:
        """Shared by the tests of a class, so that what is the same for all is built once."""
        return Workshop(tmp_path_factory.mktemp("workshop"))

    @pytest.fixture(autouse=True)
    def _quiet(self, workshop: Workshop) -> None:
        for noted in (workshop.kept, workshop.said, workshop.steps):
            noted.clear()

    def build(self, workshop: Workshop, manifest: ManifestRecord, **options: Any) -> BuiltImage:
        """Build a manifest."""
        return self.make_builder().build(workshop.work(manifest, base=self.base, **options))

    def test_a_manifest_of_this_machine_is_accepted(self, workshop: Workshop) -> None:
        """`check` raises nothing for what can be built."""
        self.make_builder().check(workshop.manifest(), self.base)

    def test_another_machine_is_refused(self, workshop: Workshop) -> None:
        """What was made for another processor can't be built here, and that is said before anything is recorded."""
        with pytest.raises(InvalidArgument, match="plan9-z80"):
            self.make_builder().check(workshop.manifest(platform="plan9-z80"), self.base)

    def test_a_base_that_is_none_is_refused(self, workshop: Workshop) -> None:
        """The message has what was given as the base."""
        with pytest.raises(AmlError, match="no-such-base"):
            self.make_builder().check(workshop.manifest(), "no-such-base")

    def test_equal_inputs_give_equal_digests(self, workshop: Workshop) -> None:
        """Neither the name of the image nor its number or id changes the digest."""
        manifest = workshop.manifest()
        first = self.build(workshop, manifest)
        again = self.build(workshop, manifest, image=workshop.image(name="Other name", version=7))
        assert again.digest == first.digest

    def test_another_script_gives_another_digest(self, workshop: Workshop) -> None:
        """What a manifest is made of shows in the digest."""
        other = workshop.manifest(app={**_APP, "score.py": b"# edited\n"})
        assert self.build(workshop, other).digest != self.build(workshop, workshop.manifest()).digest

    def test_the_image_is_an_oci_layout_that_is_kept(self, workshop: Workshop) -> None:
        """The FileSet is kept, all of it is stored, and its index leads to the digest of the image."""
        built = self.build(workshop, workshop.manifest())
        assert [record.digest for record in workshop.kept] == [built.files.digest]
        entries = {entry.path: entry for entry in built.files.entries}
        assert workshop.blobs.missing(entry.digest for entry in entries.values()) == ()
        index = workshop.json(entries["index.json"].digest)
        assert [one["digest"] for one in index["manifests"]] == [f"sha256:{built.digest}"]
        assert index["manifests"][0]["annotations"]["org.opencontainers.image.ref.name"] == "sums:1"
        assert workshop.json(entries["oci-layout"].digest) == {"imageLayoutVersion": "1.0.0"}
        assert entries[f"blobs/sha256/{built.digest}"].digest == built.digest

    def test_records_of_layers_are_true(self, workshop: Workshop) -> None:
        """Digests, kinds and sizes are those of the image's manifest and configuration."""
        built = self.build(workshop, workshop.manifest())
        manifest, configuration = workshop.json(built.digest), workshop.configuration(built)
        described = [(one["digest"], one["mediaType"], one["size"]) for one in manifest["layers"]]
        assert described == [(f"sha256:{one.digest}", one.media_type, one.size_bytes) for one in built.layers]
        assert configuration["rootfs"]["diff_ids"] == [f"sha256:{one.diff_id}" for one in built.layers]
        assert (f"{configuration['os']}/{configuration['architecture']}") == built.platform

    def test_the_bundle_is_in_the_layers(self, workshop: Workshop, tmp_path: Path) -> None:
        """Every file is where the service looks for it, and files of models can be opened from the script's folder."""
        built = self.build(workshop, workshop.manifest())
        found: dict[str, Path] = {}
        for layer in built.layers:
            if layer.kind in _ABOVE_PYTHON:
                root = unpack_layer(layer, workshop.blobs, tmp_path) / BUNDLE
                found |= {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
                found |= {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_symlink()}
        bundle = {f"site/{path}": content for path, content in _DEPENDENCY.items()}
        bundle |= {f"runtime/{path}": content for path, content in _SERVE.items()}
        bundle |= {f"models/weights/{path}": content for path, content in _MODEL.items()}
        bundle |= {f"app/{path}": content for path, content in _APP.items()}
        assert {path: found[path].read_bytes() for path in bundle} == bundle
        links = {path: str(found[path].readlink()) for path in found.keys() - bundle.keys()}
        assert links == {"app/model.bin": "../models/weights/model.bin", "app/more": "../models/weights/more"}

    def test_the_service_is_what_runs(self, workshop: Workshop) -> None:
        """The image starts the bundle in isolated mode, on port 8080, and not as root."""
        config = workshop.configuration(self.build(workshop, workshop.manifest()))["config"]
        assert config["Entrypoint"][1:] == ["-I", "-S", f"/{BUNDLE}/runtime/serve.py"]
        assert config["Cmd"] == ["--host", "0.0.0.0", "--port", "8080"]  # noqa: S104  # in a container
        assert config["WorkingDir"] == f"/{BUNDLE}/app"
        assert list(config["ExposedPorts"]) == ["8080/tcp"]
        assert config["User"].partition(":")[0] not in {"", "0", "root"}

    def test_where_it_came_from_is_on_the_label(self, workshop: Workshop) -> None:
        """Labels and annotations have the lineage that was given, and the digests of the manifest and its models."""
        manifest = workshop.manifest()
        built = self.build(workshop, manifest, lineage={"amlsdk.model.weights.run": "the run"})
        labels = workshop.configuration(built)["config"]["Labels"]
        assert labels["amlsdk.model.weights.run"] == "the run"
        assert labels["amlsdk.manifest.digest"] == manifest.digest
        assert labels["amlsdk.model.weights.digest"] == manifest.models[0].digest
        assert labels.items() >= workshop.json(built.digest)["annotations"].items()

    def test_lost_content_is_named(self, workshop: Workshop) -> None:
        """A dependency whose files are not stored any more is an error that says which."""
        lost = workshop.dependency("forgotten", {"forgotten.py": b"only here"})
        workshop.blobs.delete(hashlib.sha256(b"only here").hexdigest())
        manifest = workshop.manifest(dependencies=(*workshop.manifest().dependencies, lost))
        with pytest.raises(AmlError, match=r"forgotten 1\.0"):
            self.build(workshop, manifest)
        assert workshop.kept == []

    def test_a_cancelled_build_passes_it_on(self, workshop: Workshop) -> None:
        """Whichever step raises `Cancelled`, the build ends with it and nothing is kept."""
        manifest = workshop.manifest()
        self.build(workshop, manifest)
        workshop.steps.clear()
        self.build(workshop, manifest)
        workshop.kept.clear()
        for number in range(len(workshop.steps)):
            with pytest.raises(Cancelled):
                self.build(workshop, manifest, step=_raising_at(number))
        assert workshop.kept == []

    def test_builds_may_go_on_at_once(self, workshop: Workshop) -> None:
        """Threads that build one manifest with one builder get one digest."""
        builder, manifest = self.make_builder(), workshop.manifest(app={**_APP, "data.bin": bytes(1 << 20)})
        works = [workshop.work(manifest, base=self.base) for _ in range(3)]
        with ThreadPoolExecutor(3) as pool:
            digests = {built.digest for built in pool.map(builder.build, works)}
        assert len(digests) == 1


def _raising_at(number: int) -> Callable[[str], None]:
    counted = itertools.count()

    def step(_: str) -> None:
        if next(counted) >= number:
            raise Cancelled("cancelled by request")

    return step
