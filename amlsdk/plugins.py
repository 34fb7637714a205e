"""Adapters found by entry point, and optional packages imported with a hint what to install."""

from __future__ import annotations

import functools
import importlib
from importlib import metadata
from typing import Any

from amlsdk.errors import InvalidArgument, MissingDependency

__all__ = ["load", "names", "require"]


@functools.cache
def _entry_points(group: str) -> dict[str, metadata.EntryPoint]:
    return {point.name: point for point in metadata.entry_points(group=group)}


def names(group: str) -> tuple[str, ...]:
    """Names under which adapters of a group are installed, sorted."""
    return tuple(sorted(_entry_points(group)))


def load(group: str, name: str) -> Any:
    """Import the adapter that a group has under a name.

    Raises:
        InvalidArgument: No installed package offers this name; the message lists those that are.
        MissingDependency: The adapter is there, but a package it needs is not.
    """
    point = _entry_points(group).get(name)
    if point is None:
        raise InvalidArgument(f"{group} has no {name!r}; installed: {', '.join(names(group)) or 'none'}")
    try:
        return point.load()
    except MissingDependency:
        raise
    except ImportError as error:
        raise MissingDependency(f"{group} {name!r} can't be loaded: {error}") from error


def require(module: str, *, extra: str) -> Any:
    """Import an optional module.

    Raises:
        MissingDependency: It is not installed; the message has the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingDependency(
            f"this needs the package {module.partition('.')[0]!r}: pip install 'amlsdk[{extra}]'"
        ) from error
