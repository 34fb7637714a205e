"""What is in the layers above Python: FileSets of the manifest, laid out as a bundle (`amlsdk.records.serving`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import attrs

from amlsdk.errors import InvalidArgument, OperationFailed
from amlsdk.filesets.links import check_links
from amlsdk.filesets.listing import digest_of
from amlsdk.filesets.paths import check_tree
from amlsdk.images.base import BuildWork
from amlsdk.images.items import Item, link_item, with_folders
from amlsdk.records.filesets import FileEntry, FileSetRecord
from amlsdk.records.images import LayerKind
from amlsdk.records.manifests import Dependency, ManifestModel
from amlsdk.records.serving import BUNDLE

__all__ = ["Contents", "Planned"]

# The distribution that amlsdk.scoring is part of.
_OWN = "amlsdk"
_NAMED = 3
_LONGEST_TARGET = 4096


@attrs.frozen(kw_only=True)
class Planned:
    """A layer that is to be made.

    Args:
        kind: One of `LayerKind`.
        what: For people: which of its kind.
        items: Sorted, folders before what lies in them.
    """

    kind: str
    what: str
    items: Sequence[Item]


class Contents:
    """The layers of a manifest.

    Args:
        work: The build.
    """

    def __init__(self, work: BuildWork) -> None:
        self._work = work
        self._known: dict[str, FileSetRecord] = {}

    def trees(self) -> Iterator[tuple[str, FileSetRecord]]:
        """Yield what each FileSet is, and the FileSet, all of them.

        Raises:
            OperationFailed: Blobs are not stored; the message says of what.
        """
        manifest = self._work.manifest
        for dependency in manifest.dependencies:
            yield f"the dependency {dependency.name} {dependency.version}", self._tree(dependency.files)
        for model in manifest.models:
            yield f"the model {model.name!r} version {model.version}", self._tree(model.digest)
        yield "the scoring script", self._tree(manifest.files)

    def check_stored(self) -> None:
        """See that all content is stored.

        Raises:
            OperationFailed: Some is not; the message names what it belongs to.
        """
        trees = list(self.trees())
        missing = set(self._work.blobs.missing(entry.digest for _, tree in trees for entry in tree.entries))
        lost = [what for what, tree in trees if any(entry.digest in missing for entry in tree.entries)]
        if lost:
            more = f" and of {len(lost) - _NAMED} others" if len(lost) > _NAMED else ""
            raise OperationFailed(
                f"{len(missing)} files of {', '.join(lost[:_NAMED])}{more} are not stored any more; "
                "make the manifest again"
            )

    def layers(self, extra: Sequence[Item]) -> list[Planned]:
        """Return the layers above Python, in order; empty ones are left out.

        Args:
            extra: Libraries that go with the dependencies.
        """
        manifest = self._work.manifest
        others = [one for one in manifest.dependencies if one.name != _OWN]
        own = [one for one in manifest.dependencies if one.name == _OWN]
        planned = [
            (LayerKind.DEPENDENCIES, "dependencies", [*self._packages(others, "site"), *extra]),
            (LayerKind.RUNTIME, "runtime", self._packages(own, "runtime")),
            *((LayerKind.MODEL, f"model {model.name}", self._model(model)) for model in manifest.models),
            (LayerKind.SCRIPT, "script", self._script()),
        ]
        return [Planned(kind=kind, what=what, items=_laid_out(what, items)) for kind, what, items in planned if items]

    def _packages(self, dependencies: Iterable[Dependency], folder: str) -> list[Item]:
        items: dict[str, tuple[str, Item]] = {}
        for dependency in dependencies:
            for item in self._items(self._tree(dependency.files), f"{BUNDLE}/{folder}"):
                other, known = items.setdefault(item.path, (dependency.name, item))
                if known.key() != item.key():
                    raise OperationFailed(
                        f"{other} and {dependency.name} both have a file {item.path!r}, with other content; "
                        "leave one of them out"
                    )
        return [item for _, item in items.values()]

    def _model(self, model: ManifestModel) -> list[Item]:
        return self._items(self._tree(model.digest), f"{BUNDLE}/models/{model.name}")

    def _script(self) -> list[Item]:
        manifest = self._work.manifest
        items = self._items(self._tree(manifest.files), f"{BUNDLE}/app")
        taken = {item.path.removeprefix(f"{BUNDLE}/app/").partition("/")[0] for item in items}
        for model in manifest.models:
            for name in dict.fromkeys(entry.path.partition("/")[0] for entry in self._tree(model.digest).entries):
                # A script may open a file of a model in its working folder.
                if name not in taken:
                    taken.add(name)
                    items.append(link_item(f"{BUNDLE}/app/{name}", f"../models/{model.name}/{name}"))
        return items

    def _tree(self, digest: str) -> FileSetRecord:
        if digest not in self._known:
            record = self._work.fileset(digest)
            if record.digest != digest or digest_of(record.entries) != digest:
                raise OperationFailed(f"what the service has as FileSet {digest} is another tree; make it again")
            self._known[digest] = record
        return self._known[digest]

    def _items(self, tree: FileSetRecord, folder: str) -> list[Item]:
        targets = {entry.path: self._target(entry) for entry in tree.entries if entry.mode == "link"}
        check_links(targets)
        return [
            link_item(f"{folder}/{entry.path}", targets[entry.path])
            if entry.mode == "link"
            else Item(
                path=f"{folder}/{entry.path}",
                mode=0o755 if entry.mode == "executable" else 0o644,
                digest=entry.digest,
                size_bytes=entry.size_bytes,
                read=self._reader(entry.digest),
            )
            for entry in tree.entries
        ]

    def _reader(self, digest: str) -> Callable[[], Iterable[bytes]]:
        return lambda: self._work.blobs.open(digest)

    def _target(self, entry: FileEntry) -> str:
        if entry.size_bytes > _LONGEST_TARGET:
            raise InvalidArgument(f"the link {entry.path!r} has a target of {entry.size_bytes} bytes; that is none")
        try:
            return self._work.blobs.open(entry.digest).read().decode()
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"the target of the link {entry.path!r} is not UTF-8") from error


def _laid_out(what: str, items: list[Item]) -> list[Item]:
    try:
        check_tree(item.path for item in items)
    except InvalidArgument as error:
        raise OperationFailed(f"the files of {what} can't be together: {error}") from error
    return with_folders(items)
