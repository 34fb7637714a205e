"""What can be named in a filter and in an order, and hints where a name is nearly right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from amlsdk.errors import InvalidArgument
from amlsdk.storage.catalogue.filter_reader import Reader
from amlsdk.storage.catalogue.filter_terms import ATTRIBUTES, GROUPS, PARTS, RUN, Operand
from amlsdk.storage.catalogue.filter_words import Word

__all__ = ["read_operand"]

_EXPECTED = "a name is expected (metrics.loss, params.depth, tags.owner, status, ...)"
_OTHER_NAMES = {
    "metric": "metrics",
    "param": "params",
    "parameter": "params",
    "parameters": "params",
    "tag": "tags",
    "start_time": "started_at",
    "end_time": "ended_at",
    "created": "created_at",
    "started": "started_at",
    "ended": "ended_at",
    "duration": "duration_s",
    "run_id": "id",
    "run_name": "name",
    "state": "status",
    "owner": "user",
    "user_id": "user",
}
_OWN_GROUPS = ("run", "runs", "attribute", "attributes", "attr")


def read_operand(reader: Reader) -> Operand:
    """Read a name: `metrics.loss`, `min(metrics.loss)`, `params.depth`, `tags.owner` or an attribute.

    Raises:
        InvalidArgument: There is none, or nothing is called so.
    """
    word = reader.take()
    if word.kind != "name":
        raise reader.fault(word, f"{_EXPECTED}, not {word.shown}")
    if reader.skip("("):
        return _part_of_metric(reader, word)
    return _grouped(reader, word) if "." in word.text or "`" in word.text else _attribute(reader, word)


def _part_of_metric(reader: Reader, function: Word) -> Operand:
    if function.keyword not in PARTS:
        raise reader.fault(function, f"no function is called {function.text!r}; there are {_listed(PARTS)}")
    inner = reader.take()
    if inner.kind != "name" or not inner.text.startswith("metrics."):
        raise reader.fault(inner, f"{function.keyword}() takes a metric: {function.keyword}(metrics.loss)")
    operand = _grouped(reader, inner)
    reader.expect(")")
    return Operand("metrics", operand.name, function.keyword)


def _grouped(reader: Reader, word: Word) -> Operand:
    group, _, name = word.text.partition(".")
    if group not in GROUPS:
        raise _unknown_group(reader, word, group, name)
    if name.startswith("`"):
        name = name[1:-1].replace("``", "`")
    elif "`" in name:
        raise reader.fault(word, f"a name in backticks stands in them whole: {group}.`{name.replace('`', '')}`")
    if not name:
        raise reader.fault(word, f"a name is expected after {group}., or one in backticks: {group}.`a name`")
    return Operand(group, name)


def _unknown_group(reader: Reader, word: Word, group: str, name: str) -> InvalidArgument:
    if group.lower() in _OWN_GROUPS:
        return reader.fault(word, f"an attribute of a run stands alone: did you mean {_nearest(name) or 'status'}?")
    nearest = _nearest(group, GROUPS)
    hint = f"did you mean {nearest}.{name}?" if nearest else "names are those of metrics., params. and tags."
    return reader.fault(word, f"{group!r} holds no names; {hint}")


def _attribute(reader: Reader, word: Word) -> Operand:
    if word.text in ATTRIBUTES:
        return Operand(RUN, word.text)
    if word.keyword in ("and", "or", "in", "is", "like", "ilike"):
        raise reader.fault(word, f"{_EXPECTED}, not {word.shown}")
    nearest = _nearest(word.text)
    hint = f"did you mean {nearest}? " if nearest else ""
    raise reader.fault(
        word,
        f"a run has no attribute {word.shown}; {hint}Attributes are {_listed(ATTRIBUTES)}; "
        "others are written metrics.NAME, params.NAME or tags.NAME",
    )


def _nearest(name: str, known: tuple[str, ...] = (*ATTRIBUTES, *GROUPS)) -> str | None:
    other = _OTHER_NAMES.get(name.lower())
    if other in known:
        return other
    return next(iter(difflib.get_close_matches(name.lower()[:40], known, n=1, cutoff=0.6)), None)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
