"""What an image stands on: this machine's Python, or an image that the user gives."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from amlsdk.errors import OperationFailed
from amlsdk.images.base import BuildWork
from amlsdk.images.base_layers import BaseContent, BaseLayers
from amlsdk.images.bases import open_base
from amlsdk.images.host import oci_platform, program_of_host, python_of_host
from amlsdk.images.items import Item, with_folders
from amlsdk.images.knownfiles import KnownFiles
from amlsdk.images.needs import libraries_needed
from amlsdk.images.writing import LayerWriter
from amlsdk.records.filesets import FileSetRecord
from amlsdk.records.images import LayerKind, LayerRecord

__all__ = ["Foundation", "foundation_of_base", "foundation_of_host"]

# Where a Python is looked for first.
_PLACES = {"usr/local/bin": 0, "usr/bin": 1, "bin": 2}


@attrs.frozen(kw_only=True)
class Foundation:
    """The layers below the dependencies.

    Args:
        layers: From the base up.
        platform: Such as `linux/amd64`.
        python: Path of the Python in there.
        extra: Libraries of the system that only the dependencies need.
        configuration: Of the base image, or empty.
    """

    layers: Sequence[LayerRecord]
    platform: str
    python: str = "/usr/local/bin/python3"
    extra: Sequence[Item] = ()
    configuration: Mapping[str, Any] = attrs.field(factory=dict)


def foundation_of_host(work: BuildWork, trees: Sequence[FileSetRecord], writer: LayerWriter) -> Foundation:
    """Return layers with this machine's Python; none where that is not Linux, whose containers alone could use them."""
    where = oci_platform()
    if sys.platform != "linux":
        work.say(f"{where}: no container can run on this image; it is for the deployer 'process' only")
        return Foundation(layers=(), platform=where)
    work.step("Python of this machine")
    known = KnownFiles(writer.cache / "host-files.json")
    python = python_of_host(known)
    system, had = python.system_items()
    work.say(f"Python {sys.version.split()[0]} of {str(python.program)!r}, {len(had.paths)} libraries")
    needed = libraries_needed(trees, work.blobs, writer.cache)
    more = python.libraries.named(sorted(needed), provided=python.loader_names | had.paths.keys())
    for name in (*had.missing, *more.missing):
        work.say(f"note: the library {name} is needed by some module and not on this machine")
    layers = [
        writer.layer(LayerKind.BASE, "system", with_folders(system)),
        writer.layer(LayerKind.PYTHON, "Python", with_folders(python.items())),
    ]
    extra = python.library_items(more)
    known.save()
    return Foundation(layers=layers, platform=where, extra=extra)


def foundation_of_base(work: BuildWork, trees: Sequence[FileSetRecord], writer: LayerWriter) -> Foundation:
    """Return the layers of an image that the user gives, unchanged.

    Raises:
        OperationFailed: It has no Python that the dependencies fit to; the message says what it has.
    """
    with open_base(work.base, oci_platform()) as base:
        content = BaseLayers(work, writer.folder, writer.cache).take(base)
        python = _python_in(content, work, base.source.name)
        configuration = base.configuration
    for name in sorted(libraries_needed(trees, work.blobs, writer.cache) - content.libraries):
        work.say(f"note: the library {name} is needed by some module and not in the base")
    return Foundation(layers=content.layers, platform=oci_platform(), python=f"/{python}", configuration=configuration)


def _python_in(content: BaseContent, work: BuildWork, name: str) -> str:
    wanted = f"python{work.manifest.python}"
    _, here = program_of_host()
    fitting = [
        path
        for path, elf in content.pythons.items()
        if path.rpartition("/")[2] == wanted and (elf.kind, elf.interpreter) == (here.kind, here.interpreter)
    ]
    if not fitting:
        found = [
            f"/{path} ({elf.interpreter or 'of another machine'})" for path, elf in sorted(content.pythons.items())
        ]
        raise OperationFailed(
            f"{name} has no {wanted} that is loaded by {here.interpreter}, which the dependencies are made for; it has "
            f"{', '.join(found) or 'no Python at all'}"
        )
    return min(fitting, key=lambda path: (_PLACES.get(path.rpartition("/")[0], len(_PLACES)), path))
