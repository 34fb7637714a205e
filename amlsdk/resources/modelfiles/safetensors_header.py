"""The header of a safetensors file, read without the library.

Format: 8 bytes with the length of a JSON header (little endian), the header, the tensors
(https://github.com/huggingface/safetensors, section Format).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["is_safetensors", "metadata_of"]

_MAX_HEADER = 100_000_000  # the library's own limit
_LENGTH = 8


def is_safetensors(file: Path) -> bool:
    """Whether the content of a file is safetensors: a header that is a JSON object of tensors."""
    return bool(_header(file)) or _is_empty(file)


def metadata_of(file: Path) -> dict[str, str]:
    """Free metadata in the header, text by text; empty where there is none."""
    metadata = _header(file).get("__metadata__")
    return metadata if isinstance(metadata, dict) else {}


def _header(file: Path) -> dict[str, Any]:
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH), "little")
        if not 1 < length <= min(_MAX_HEADER, file.stat().st_size - _LENGTH) or stream.read(1) != b"{":
            return {}
        try:
            header = json.loads(b"{" + stream.read(length - 1))
        except (ValueError, RecursionError):
            return {}
    tensors = [value for name, value in header.items() if name != "__metadata__"]
    return header if all(isinstance(tensor, dict) and "dtype" in tensor for tensor in tensors) else {}


def _is_empty(file: Path) -> bool:
    """A file of no tensors at all is still one of its kind."""
    with file.open("rb") as stream:
        head = stream.read(256)
    return int.from_bytes(head[:_LENGTH], "little") == file.stat().st_size - _LENGTH and head[_LENGTH:].strip() == b"{}"
