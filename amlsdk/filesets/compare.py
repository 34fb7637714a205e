"""What differs between two trees."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import attrs

from amlsdk.filesets.blobs import Blobs
from amlsdk.records.filesets import FileEntry, FileSetRecord

__all__ = ["FileSetDiff", "compare", "text_diff"]


@attrs.frozen(kw_only=True)
class FileSetDiff:
    """Paths that differ between two trees, each sorted.

    Args:
        added: Only in the second.
        removed: Only in the first.
        changed: In both, with another content or mode.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return bool(self.added or self.removed or self.changed)


def compare(a: FileSetRecord, b: FileSetRecord) -> FileSetDiff:
    """Return which paths differ between two trees, by digest and mode alone: no content is read."""
    before, after = _by_path(a), _by_path(b)
    return FileSetDiff(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(sorted(path for path in before.keys() & after.keys() if before[path] != after[path])),
    )


def text_diff(a: FileSetRecord, b: FileSetRecord, store: Blobs, *, limit_bytes: int = 256 * 1024) -> str:
    """Return the unified diff of the files that differ, as `diff -u` writes it; binary files are named only.

    Args:
        a: The tree before.
        b: The tree after.
        store: Where the blobs of both are.
        limit_bytes: Size above which a file is named only, and of the result, after which files are named only.

    Raises:
        NotFound: A blob is not stored.
        OperationFailed: A blob is damaged.
    """
    before, after = _by_path(a), _by_path(b)
    difference = compare(a, b)
    parts, left = [], limit_bytes
    for path in sorted({*difference.added, *difference.removed, *difference.changed}):
        old, new = before.get(path), after.get(path)
        part = "".join(_file_diff(path, old, new, store, limit_bytes)) if left > 0 else None
        if part is None or len(part.encode()) > left:
            part, left = f"File {path} differs (beyond {limit_bytes} bytes of differences)\n", 0
        left -= len(part.encode())
        parts.append(part)
    return "".join(parts)


def _by_path(record: FileSetRecord) -> dict[str, FileEntry]:
    return {entry.path: entry for entry in record.entries}


def _file_diff(
    path: str, old: FileEntry | None, new: FileEntry | None, store: Blobs, limit_bytes: int
) -> Iterator[str]:
    if old and new and old.mode != new.mode:
        yield f"File {path} changed from {old.mode} to {new.mode}\n"
        if old.digest == new.digest:
            return
    if max(entry.size_bytes for entry in (old, new) if entry) > limit_bytes:
        yield f"File {path} differs (larger than {limit_bytes} bytes)\n"
        return
    texts = _text(old, store), _text(new, store)
    if texts[0] is None or texts[1] is None:
        yield f"Binary file {path} differs\n"
        return
    names = (f"a/{path}" if old else "/dev/null"), (f"b/{path}" if new else "/dev/null")
    for line in difflib.unified_diff(_lines(texts[0]), _lines(texts[1]), *names):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _text(entry: FileEntry | None, store: Blobs) -> str | None:
    if entry is None:
        return ""
    content = store.open(entry.digest).read()
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None


def _lines(text: str) -> list[str]:
    # Only at newlines, as diff does: splitlines() would also cut at form feeds and other separators.
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
