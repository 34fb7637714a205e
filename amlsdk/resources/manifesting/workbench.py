"""The folder in which a script is tried: laid out as a bundle, of links and copies."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

import amlsdk
from amlsdk.resources.manifesting.materials import Material

__all__ = ["OWN_PARTS", "Workbench", "put"]

# What an image has of amlsdk, and nothing else.
OWN_PARTS = ("__init__.py", "errors.py", "records", "sketches", "scoring")


@attrs.frozen
class Workbench:
    """A bundle to try a script in.

    Args:
        root: A folder of its own.
    """

    root: Path

    @property
    def app(self) -> Path:
        """Where the script and what lies beside it are."""
        return self.root / "app"

    def lay(self, materials: Sequence[Material], files: Mapping[str, Path | str | bytes]) -> None:
        """Put everything in its place.

        Args:
            materials: The models.
            files: What goes into `app`: files to be copied, or texts, by path.
        """
        own = self.root / "runtime" / "amlsdk"
        own.mkdir(parents=True)
        for part in OWN_PARTS:
            (own / part).symlink_to(Path(amlsdk.__file__).parent / part)
        (self.root / "models").mkdir()
        self.app.mkdir()
        for material in materials:
            (self.root / "models" / material.model.name).symlink_to(material.folder.absolute())
        for path, content in files.items():
            put(self.app / path, content)
        for material in materials:
            self._link_entries(material)

    def _link_entries(self, material: Material) -> None:
        """Scripts written for 2017 open a model's files in the working folder."""
        for name in sorted({path.partition("/")[0] for path in material.files}):
            link = self.app / name
            if not os.path.lexists(link):
                link.symlink_to(f"../models/{material.model.name}/{name}")


def put(target: Path, content: Path | str | bytes) -> None:
    """Copy a file, or write a text or bytes, into a folder that is made where it is missing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, Path):
        shutil.copy(content, target)
    else:
        target.write_bytes(content.encode() if isinstance(content, str) else content)
