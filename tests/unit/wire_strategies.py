"""Values of every type that requests and records are made of."""

import datetime as dt
import typing
from collections.abc import Mapping

import attrs
from hypothesis import strategies as st

from amlsdk.records.streams import ByteStream

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
INTS = st.integers(-(2**63), 2**63 - 1)
JSON = st.recursive(
    st.none() | st.booleans() | INTS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
SCALARS = {
    str: TEXTS,
    bool: st.booleans(),
    int: INTS,
    float: st.floats() | st.integers(-100, 100),
    dt.datetime: st.integers(0, 2**55).map(lambda us: EPOCH + dt.timedelta(microseconds=us)),
    ByteStream: st.binary(max_size=20).map(ByteStream.of),
    typing.Any: JSON,
}


def values(kind):
    """Return a strategy for values of a type."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind in SCALARS:
        return SCALARS[kind]
    if type(None) in args:
        return st.none() | values(args[0])
    if origin is tuple:
        return st.lists(values(args[0]), max_size=3).map(tuple)
    if origin is Mapping:
        return st.dictionaries(TEXTS, values(args[1]), max_size=2)
    return records(origin or kind, args)


def records(cls, args=()):
    """Return a strategy for a record or a request; optional fields are sometimes left out."""
    attrs.resolve_types(cls)
    required, optional = {}, {}
    for field in attrs.fields(cls):
        kind = tuple[args[0], ...] if "~T" in str(field.type) else field.type
        (required if field.default is attrs.NOTHING else optional)[field.name] = st.deferred(
            lambda kind=kind: values(kind)
        )
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: cls(**fields))
