"""One line of a journal, judged: what it says, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

import attrs
import orjson

from amlsdk.errors import InvalidArgument
from amlsdk.journal.text import INT64, MAX_LINE, VERSION
from amlsdk.records.names import check_key

__all__ = ["Entry", "checksum", "is_key", "read_line"]

_NOT_FINITE = ("nan", "inf", "-inf")


@attrs.frozen
class Entry:
    """What a line that is no point says.

    Args:
        kind: As in the line; one that is not known here comes as it is.
        offset: Where the line begins in its journal, in bytes.
        data: The members of the line but for version, kind, time and checksum.
        time_us: Microseconds since 1970 UTC.
    """

    kind: str
    offset: int
    data: Mapping[str, Any]
    time_us: int


def checksum(line: bytes) -> int:
    """Return what the checksum at the end of a line has to be."""
    return crc32(line[: line.rfind(b',"c":')])


def read_line(line: bytes) -> dict[str, Any] | str:  # noqa: PLR0911  # one for each thing that may be wrong
    """Return the members of a line (without its newline), or the reason why it can't be used."""
    if len(line) >= MAX_LINE:
        return "longer than 1 MiB"
    if b"\0" in line:
        return "NUL bytes"
    try:
        members = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "not JSON"
    if not isinstance(members, dict):
        return "not an object"
    if members.get("c") != checksum(line):
        return "wrong checksum"
    if members.get("v") != VERSION:
        return f"version {members.get('v')!r:.20} is not known"
    kind = members.get("k")
    if not isinstance(kind, str) or not _is_whole(members.get("t")):
        return "no kind or time"
    wrong = [name for name, fits in _KINDS.get(kind, {}).items() if not fits(members.get(name))]
    return f"{kind}: wrong {', '.join(wrong)}" if wrong else members


def is_key(name: Any) -> bool:
    """Say whether something can name a metric, param, tag or table."""
    try:
        check_key(name, what="metric")
    except InvalidArgument:
        return False
    return True


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_value(value: Any) -> bool:
    return value in _NOT_FINITE if isinstance(value, str) else type(value) in (int, float)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value in INT64


def _is_whole_or_none(value: Any) -> bool:
    return value is None or _is_whole(value)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _object_of(**members: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        return isinstance(value, dict) and all(check(value.get(name)) for name, check in members.items())

    return fits


_KINDS: Mapping[str, Mapping[str, Callable[[Any], bool]]] = {
    "begin": {"r": _is_text, "w": _is_text, "p": _is_whole, "h": _is_text},
    "metric": {"n": is_key, "x": _is_value, "s": _is_whole},
    "param": {"n": is_key, "x": _is_text},
    "tag": {"n": is_key, "x": _is_text_or_none},
    "row": {"n": is_key, "x": _is_object},
    "file": {"x": _object_of(path=_is_text, kind=_is_text, digest=_is_text, size_bytes=_is_whole, mode=_is_text)},
    "input": {
        "x": _object_of(name=_is_text, digest=_is_text, kind=_is_text, source=_is_text, size_bytes=_is_whole),
    },
    "context": {"x": _is_object},
    "status": {"x": _is_text, "e": _is_text_or_none, "code": _is_whole_or_none},
    "note": {"x": _is_text},
}
