"""Records to and from what JSON knows: objects, lists, texts, numbers, true, false and null."""

from __future__ import annotations

import datetime as dt
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn

from amlsdk.errors import InvalidArgument

__all__ = ["CONVERTER", "need"]

_NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def _structure_float(value: Any, _: Any) -> Any:
    return _NON_FINITE.get(value, value) if isinstance(value, str) else value


def _structure_time(value: Any, _: Any) -> Any:
    try:
        # Python 3.10 does not read the suffix Z.
        return dt.datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
    except ValueError:
        return value


def _unstructure_float(value: float) -> float | str:
    # A number given for a float travels as it is; only what JSON lacks becomes a text.
    if type(value) is int or math.isfinite(value):
        # orjson refuses subclasses of float, such as those of numpy.
        return value if type(value) is int else float(value)
    return str(float(value))


def _unstructure_time(value: dt.datetime) -> str:
    return value.astimezone(dt.timezone.utc).isoformat().replace("+00:00", "Z")


def _as_is(value: Any, _: Any) -> Any:
    return value


# What has another shape than its type is left as it came, for `check` to refuse: iterating over a text or an object
# would make a sequence of it.


def _is_sequence(kind: Any) -> bool:
    return typing.get_origin(kind) is tuple


def _is_mapping(kind: Any) -> bool:
    return typing.get_origin(kind) is Mapping


def _read_sequence(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    item = typing.get_args(kind)[0]
    # Found once: a page has thousands of items, and looking for how they are read takes as long as reading them.
    read = converter.get_structure_hook(item)
    return lambda raw, _: tuple([read(one, item) for one in raw]) if isinstance(raw, list) else raw


def _read_mapping(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    item = typing.get_args(kind)[1]
    read = converter.get_structure_hook(item)
    return lambda raw, _: {key: read(one, item) for key, one in raw.items()} if isinstance(raw, dict) else raw


def _read_record(kind: Any, converter: cattrs.Converter) -> Callable[[Any, Any], Any]:
    cls = typing.get_origin(kind) or kind
    required = [field.name for field in attrs.fields(cls) if field.default is attrs.NOTHING]
    build = make_dict_structure_fn(kind, converter, _cattrs_detailed_validation=False)

    def read(raw: Any, _: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        need(required, raw, cls.__name__)
        return build(raw, kind)

    return read


def need(required: Iterable[str], given: Mapping[str, Any], name: str) -> None:
    """See that fields are given.

    Raises:
        InvalidArgument: Some are not; the message names them.
    """
    missing = [field for field in required if field not in given]
    if missing:
        raise InvalidArgument(f"{name}: {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing")


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False, omit_if_default=False)
    # Scalars pass as they came: `check` refuses wrong ones, with the same words in every mode.
    for scalar in (str, int, bool):
        converter.register_structure_hook(scalar, _as_is)
    converter.register_structure_hook(float, _structure_float)
    converter.register_structure_hook(dt.datetime, _structure_time)
    converter.register_structure_hook_factory(_is_sequence, _read_sequence)
    converter.register_structure_hook_factory(_is_mapping, _read_mapping)
    converter.register_structure_hook_factory(attrs.has, _read_record)
    converter.register_unstructure_hook(float, _unstructure_float)
    converter.register_unstructure_hook(dt.datetime, _unstructure_time)
    return converter


CONVERTER = _make_converter()
