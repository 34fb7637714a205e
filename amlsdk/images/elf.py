"""What an ELF file needs: System V ABI, "Object Files" and "Program Loading and Dynamic Linking"."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

__all__ = ["MAGIC", "ElfFile", "read_elf", "read_elf_file"]

MAGIC = b"\x7fELF"
_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_NEEDED, _STRINGS, _RPATH, _STRINGS_SIZE, _RUNPATH = 1, 5, 15, 10, 29
_HEAD = 64
_MOST_HEADERS = 1024
_MOST_DYNAMIC = 1 << 20
_MOST_STRINGS = 64 << 20

ReadAt = Callable[[int, int], bytes]


@attrs.frozen(kw_only=True)
class ElfFile:
    """The head of an ELF file.

    Args:
        kind: Its class, byte order and machine, by which a library fits to it.
        interpreter: Path of the program that loads it, or None.
        needed: Names of the libraries it needs.
        rpath: Folders where it looks for them first, as it has them: with `$ORIGIN`.
    """

    kind: tuple[int, int, int]
    interpreter: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()


def read_elf_file(path: Path) -> ElfFile | None:
    """Read the head of a file; None where it is no ELF file, can't be read or is damaged."""
    try:
        with path.open("rb") as file:

            def read_at(offset: int, size: int) -> bytes:
                file.seek(offset)
                return file.read(size)

            return read_elf(read_at)
    except OSError:
        return None


def read_elf(read_at: ReadAt) -> ElfFile | None:
    """Read the head of what `read_at(offset, size)` reads; None where it is no ELF file or is damaged."""
    head = read_at(0, _HEAD)
    if len(head) < _HEAD or head[:4] != MAGIC or head[4] not in {1, 2} or head[5] not in {1, 2}:
        return None
    try:
        return _Reader(read_at, head).read()
    except (struct.error, OverflowError, ValueError):
        return None


@attrs.frozen
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


class _Reader:
    def __init__(self, read_at: ReadAt, head: bytes) -> None:
        self._read_at = read_at
        self._head = head
        self._is_64 = head[4] == 2  # noqa: PLR2004  # ELFCLASS64
        self._order = "<" if head[5] == 1 else ">"

    def read(self) -> ElfFile:
        (machine,) = struct.unpack_from(f"{self._order}H", self._head, 18)
        segments = list(self._segments())
        texts: dict[int, list[str]] = {_NEEDED: [], _RPATH: [], _RUNPATH: []}
        for segment in segments:
            if segment.kind == _DYNAMIC:
                texts = self._dynamic(segment, segments)
        interpreter = next((self._text(one) for one in segments if one.kind == _INTERPRETER), None)
        return ElfFile(
            kind=(self._head[4], self._head[5], machine),
            interpreter=interpreter,
            needed=tuple(texts[_NEEDED]),
            rpath=tuple(part for text in texts[_RUNPATH] or texts[_RPATH] for part in text.split(":") if part),
        )

    def _segments(self) -> Iterator[_Segment]:
        form, at = ("QQ", 32) if self._is_64 else ("II", 28)
        (offset, _) = struct.unpack_from(self._order + form, self._head, at)
        size, count = struct.unpack_from(f"{self._order}HH", self._head, 54 if self._is_64 else 42)
        table = self._read_at(offset, size * min(count, _MOST_HEADERS))
        for start in range(0, len(table) - size + 1, size or 1):
            if self._is_64:
                kind, _, where, address, _, length = struct.unpack_from(f"{self._order}IIQQQQ", table, start)
            else:
                kind, where, address, _, length = struct.unpack_from(f"{self._order}IIIII", table, start)
            yield _Segment(kind, where, address, length)

    def _dynamic(self, segment: _Segment, segments: list[_Segment]) -> dict[int, list[str]]:
        form = self._order + ("qQ" if self._is_64 else "iI")
        table = self._read_at(segment.offset, min(segment.size, _MOST_DYNAMIC))
        entries = list(struct.iter_unpack(form, table[: len(table) // struct.calcsize(form) * struct.calcsize(form)]))
        found: dict[int, list[str]] = {_NEEDED: [], _RPATH: [], _RUNPATH: []}
        single = dict(entries)
        if _STRINGS not in single:
            return found
        strings = self._read_at(
            _offset_of(single[_STRINGS], segments), min(single.get(_STRINGS_SIZE, 0), _MOST_STRINGS)
        )
        for tag, value in entries:
            if tag == 0:
                break
            if tag in found:
                end = strings.index(b"\0", value)
                found[tag].append(strings[value:end].decode())
        return found

    def _text(self, segment: _Segment) -> str:
        return self._read_at(segment.offset, min(segment.size, 4096)).rstrip(b"\0").decode()


def _offset_of(address: int, segments: list[_Segment]) -> int:
    for segment in segments:
        if segment.kind == _LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise ValueError("the address lies in no segment")
