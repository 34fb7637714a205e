"""A function that is given as the scoring script."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

from amlsdk.errors import InvalidArgument
from amlsdk.plugins import require
from amlsdk.resources.manifesting.scripts import Script
from amlsdk.resources.manifesting.templates import SCRIPT

__all__ = ["script_of_function"]

_FILE = "run.cloudpickle"
_TEXT = '''"""Scores with the function {name}, which was given as scoring=... Written by amlsdk."""

import pickle
from pathlib import Path


def init():
    global function
    function = pickle.loads((Path(__file__).parent / "{file}").read_bytes())


def run({parameters}):
    return function({arguments})
'''


def script_of_function(function: Callable[..., Any]) -> Script:
    """Return a script that calls a function of this process, which is kept by cloudpickle.

    Raises:
        InvalidArgument: It can't be kept, or not be called with arguments by name.
        MissingDependency: cloudpickle is not installed.
    """
    name = getattr(function, "__qualname__", type(function).__qualname__)
    parameters, required = _parameters(function, name)
    text = _TEXT.format(
        name=name,
        file=_FILE,
        parameters=", ".join(parameters),
        arguments=", ".join(f"{each}={each}" for each in parameters),
    )
    content = _pickled(function, name)
    return Script(
        path=SCRIPT,
        files={SCRIPT: text, _FILE: content},
        parameters=parameters,
        required=required,
        modules=frozenset({"cloudpickle", *_modules_of(function)}),
        pickles=(_FILE,),
    )


def _parameters(function: Callable[..., Any], name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if inspect.iscoroutinefunction(function):
        raise InvalidArgument(f"scoring={name}: it is `async`; a plain function scores")
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise InvalidArgument(f"scoring={name}: its arguments can't be told: {error}; wrap it in a function") from error
    if any(each.kind in {each.POSITIONAL_ONLY, each.VAR_POSITIONAL, each.VAR_KEYWORD} for each in found):
        raise InvalidArgument(
            f"scoring={name}: it is called with arguments by name; wrap it in a function that has them"
        )
    required = tuple(each.name for each in found if each.default is each.empty)
    # Those with a default keep it: a request has all arguments, each by name.
    return required or tuple(each.name for each in found)[:1], required


def _pickled(function: Callable[..., Any], name: str) -> bytes:
    try:
        cloudpickle = require("cloudpickle", extra="models")
    except ImportError as error:
        from amlsdk.errors import MissingDependency

        raise MissingDependency(
            "a function is kept as the scoring script by the package 'cloudpickle': pip install cloudpickle"
        ) from error
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    own = module is not None and module.__name__ != "__main__" and not _is_installed(module)
    try:
        if own:
            # Its module is not in an image; the function is kept by its code.
            cloudpickle.register_pickle_by_value(module)
        content: bytes = cloudpickle.dumps(function)
    except Exception as error:  # parts of it raise what they like
        raise InvalidArgument(f"scoring={name}: it can't be kept: {error}; give a script") from error
    finally:
        if own:
            cloudpickle.unregister_pickle_by_value(module)
    return content


def _is_installed(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    return file is None or "site-packages" in file or "dist-packages" in file


def _modules_of(function: Callable[..., Any]) -> set[str]:
    """Modules that a function's own code names; others are found by running it."""
    space = getattr(function, "__globals__", {})
    code = getattr(function, "__code__", None)
    names = code.co_names if code is not None else ()
    values = [space[name] for name in names if name in space]
    found = {getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in values}
    found |= {type(value).__module__ for value in values}
    return {name.partition(".")[0] for name in found if isinstance(name, str) and name} | set(names)
