"""Pickles recognised by content, however they are named or wrapped."""

from __future__ import annotations

import bz2
import io
import lzma
import pickletools
import re
import warnings
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from amlsdk.resources.modelfiles.archives import is_skops, is_zip

__all__ = ["HEAD_BYTES", "PICKLE_SUFFIXES", "is_pickle", "unwrapped"]

HEAD_BYTES = 64 * 1024
PICKLE_SUFFIXES = frozenset({".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle"})
# joblib writes these; the last of them is lz4, which the standard library can't open.
_GZIP, _BZ2, _XZ, _LZMA, _LZ4 = b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00\x00", b"\x04\x22\x4d\x18"
_ZLIB_METHOD = 0x78
_HIGHEST_PROTOCOL = 5
_OPCODES = {ord(op.code) for op in pickletools.opcodes}
_CALLS = frozenset({"REDUCE", "NEWOBJ", "NEWOBJ_EX", "OBJ", "INST", "BUILD"})
# What a pickle that calls something can begin with, one that its reader would not refuse at once: an import, a mark, or
# a value to be stored or dropped first.
_FIRST_CALLERS = frozenset(op.code.encode("latin-1") for op in pickletools.opcodes if not op.stack_before)
_NPY_MAGIC = b"\x93NUMPY"
# The header of an .npy file is a Python literal; a field named 'O' is taken for a type, which errs on the safe side.
_OBJECT_TYPE = re.compile(rb"""['"][|<>=]?O[0-9]*['"]""")


def is_pickle(path: Path) -> bool:
    """Whether reading this file with its usual reader would unpickle something.

    Found are pickles (also of cloudpickle and dill), compressed ones (joblib), archives that hold one (torch, numpy)
    and .npy files of objects. A pickle without a protocol header (protocols 0 and 1) is found where its first 64 KiB
    call something.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if _starts_pickle(head) or _starts_pickle(unwrapped(head)):
        return True
    if head.startswith(_LZ4):
        return _pickle_name(path.name)
    return is_zip(head) and _archive_has_pickle(path)


def unwrapped(head: bytes) -> bytes:
    """First bytes inside a compressed file that begins so, at most 64 KiB; none where it is not compressed."""
    try:
        if head.startswith(_GZIP):
            return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, HEAD_BYTES)
        if head[:1] == bytes([_ZLIB_METHOD]) and int.from_bytes(head[:2], "big") % 31 == 0:
            return zlib.decompressobj().decompress(head, HEAD_BYTES)
        if head.startswith(_BZ2):
            return bz2.BZ2Decompressor().decompress(head, HEAD_BYTES)
        if head.startswith((_XZ, _LZMA)):
            return lzma.LZMADecompressor().decompress(head, HEAD_BYTES)
    except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError):
        return b""
    return b""


def _pickle_name(name: str) -> bool:
    return not PICKLE_SUFFIXES.isdisjoint(PurePosixPath(name.lower()).suffixes)


def _starts_pickle(head: bytes) -> bool:
    if head.startswith(_NPY_MAGIC):
        return _has_objects(head)
    if head[:1] == b"\x80":
        return len(head) > 2 and head[1] <= _HIGHEST_PROTOCOL and head[2] in _OPCODES  # noqa: PLR2004  # its header
    if is_zip(head) or head[:1] not in _FIRST_CALLERS:
        return False
    with warnings.catch_warnings():
        # Other text read as a pickle's has escapes that Python warns of.
        warnings.simplefilter("ignore", DeprecationWarning)
        return _calls_something(head)


def _has_objects(head: bytes) -> bool:
    # Version 1 has a length of 2 bytes at offset 8, later ones of 4.
    width = 2 if head[6:7] == b"\x01" else 4
    length = int.from_bytes(head[8 : 8 + width], "little")
    return _OBJECT_TYPE.search(head[8 + width : 8 + width + length]) is not None


def _calls_something(head: bytes) -> bool:
    """Follow a pickle without a header as far as its stack allows; most text breaks off within a few bytes."""
    stack: list[bool] = []  # True is a mark
    imported = False
    try:
        for op, _argument, _position in pickletools.genops(io.BytesIO(head)):
            _pop(stack, op)
            imported = imported or op.name in {"GLOBAL", "STACK_GLOBAL", "INST"}
            if imported and op.name in _CALLS:
                return True
            stack += [after.name == "mark" for after in op.stack_after]
    except (ValueError, IndexError, UnicodeError, OverflowError):
        return False
    return False


def _pop(stack: list[bool], op: pickletools.OpcodeInfo) -> None:
    names = [before.name for before in op.stack_before]
    if "mark" in names:
        while not stack.pop():
            pass
        names = names[: names.index("mark")]
    for _ in names:
        stack.pop()


def _archive_has_pickle(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if any(_pickle_name(member.filename) for member in members):
                return True
            if is_skops(archive):
                return False  # its members are arrays and bytes that its reader never unpickles
            for member in members:
                with archive.open(member) as inner:
                    if _starts_pickle(inner.read(HEAD_BYTES)):
                        return True
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError):
        return False
    return False
