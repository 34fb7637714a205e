"""skops files whose bytes depend on what they hold alone.

skops names parts by their address in memory, so that saving twice gives two files. Numbering the parts in the order
they are met makes equal models equal files, which a registry that stores by digest then keeps once.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

__all__ = ["write_canonical"]

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the first moment a zip archive can name
_FAST = 1  # of zlib's levels; the others take several times as long for a few percent


def write_canonical(data: bytes, file: Path) -> None:
    """Write a skops file with its parts renumbered and its times fixed."""
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        schema = json.loads(source.read("schema.json"))
        files = _renumber(schema)
        with zipfile.ZipFile(file, "w") as target:
            for old, new in files.items():
                _add(target, new, source.read(old))
            _add(target, "schema.json", json.dumps(schema, separators=(",", ":")).encode())


def _renumber(schema: dict[str, Any]) -> dict[str, str]:
    """Give the nodes of a schema new ids in place; return the new name of each file by its old one."""
    ids: dict[int, int] = {}
    files: dict[str, str] = {}
    for node in _nodes(schema):
        if node["__loader__"] == "JsonNode":
            # Whether two equal numbers or texts are one object is chance; they can't be told apart once loaded.
            node.pop("__id__", None)
        elif "__id__" in node:
            node["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
        name = node.get("file")
        if isinstance(name, str):
            node["file"] = files.setdefault(name, f"{len(files) + 1}{PurePosixPath(name).suffix}")
    return files


def _nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Nodes of a schema in the order they are written, without recursion: models nest deeply."""
    waiting: list[Any] = [schema]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            # In a dict of the model's own, a key of this name leads to a node and not to a text.
            if isinstance(item.get("__loader__"), str):
                yield item
            waiting += reversed(list(item.values()))
        elif isinstance(item, list):
            waiting += reversed(item)


def _add(target: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.external_attr = 0o644 << 16
    target.writestr(member, content, zipfile.ZIP_DEFLATED, _FAST)
