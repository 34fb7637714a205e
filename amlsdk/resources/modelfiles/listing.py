"""The files of a model, by name."""

from __future__ import annotations

import os
from pathlib import Path

from amlsdk.errors import InvalidArgument, NotFound

__all__ = ["files_of"]


def files_of(path: Path) -> dict[str, Path]:
    """Regular files at a path by their name relative to it (with `/`), sorted; a file stands for itself.

    Raises:
        NotFound: There is neither a file nor a folder.
        InvalidArgument: A link leads outside the folder.
    """
    if path.is_file():
        return {path.name: path}
    if not path.is_dir():
        raise NotFound(f"{str(path)!r} is neither a file nor a folder")
    return dict(sorted(_walk(path)))


def _walk(folder: Path) -> list[tuple[str, Path]]:
    root = folder.resolve()
    found = []
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            member = Path(parent, name)
            if member.is_symlink() and not member.resolve().is_relative_to(root):
                raise InvalidArgument(
                    f"{member.relative_to(folder).as_posix()!r} links outside the model's folder; copy the file in"
                )
        found += [(Path(parent, name).relative_to(folder).as_posix(), Path(parent, name)) for name in names]
    return [(name, member) for name, member in found if member.is_file()]
