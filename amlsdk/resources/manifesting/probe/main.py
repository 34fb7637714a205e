"""Hears what to try over standard input, tries it, and answers over a pipe."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from .checks import is_known
from .hiding import Hidden
from .opened import Opened
from .trying import Failure, Trial, step

__all__ = ["main"]

_FAILED = 3


def main() -> None:
    """Try the script; what it prints goes where standard output goes."""
    message = json.load(sys.stdin)
    # The script finds nothing to read there.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        reply, code = _try(message), 0
    except Failure as failure:
        reply, code = {"failure": failure.facts}, _FAILED
    reply["asked"] = sorted(_HIDDEN.asked) if _HIDDEN else []
    with os.fdopen(message["reply"], "w", encoding="utf-8") as pipe:
        json.dump(reply, pipe)
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that the script left must not keep the process.
    os._exit(code)


_HIDDEN: Hidden | None = None


def _try(message: Mapping[str, Any]) -> dict[str, Any]:
    global _HIDDEN  # noqa: PLW0603  # told also when the trial fails
    root = message["root"]
    sys.path[:] = [f"{root}/runtime", *sys.path, *message["path"]]
    _HIDDEN = Hidden(message["hidden"])
    _HIDDEN.install()
    os.chdir(f"{root}/app")
    from amlsdk import scoring  # noqa: F401  # the service imports it first, too

    types = _types(message)
    opened = Opened([root, sys.prefix, sys.base_prefix, *sys.path, *message["known_folders"]])
    opened.watch()
    trial = Trial(root, message["script"], message["inputs"])
    generated = message["generated"]
    body = trial.fit_columns(message["body"]) if generated else message["body"]
    if generated and message["check"]:
        _check(trial.model, message["check"])
    result, as_array = _score(trial, body, message)
    opened.rest()
    # Before anything more is imported for the checks alone.
    files = _imported(root, message["service"])
    if as_array and message["compare"] and not is_known(trial.model):
        # Parts of known libraries make an array of a table first; what others make of it, only trying tells.
        _HIDDEN.lift()
        as_array = trial.gives_the_same(body, result)
    for spec in trial.inputs:
        spec["as_array"] = as_array and spec["kind"] == "frame"
    row_wise = generated and trial.is_row_wise(body, result, known=message["known"])
    return {
        "types": types,
        "inputs": trial.inputs,
        "body": body,
        "result": result,
        "as_array": as_array,
        "files": files,
        "opened": opened.outside(),
        "row_wise": row_wise,
        "model": f"{type(trial.model).__module__}.{type(trial.model).__qualname__}",
    }


def _score(trial: Trial, body: Mapping[str, Any], message: Mapping[str, Any]) -> tuple[Any, bool]:
    """Score the sample, tables as arrays where that is to be tried."""
    if not message["try_array"]:
        return trial.score(body), False
    return trial.score(body, as_array=True), True


def _types(message: Mapping[str, Any]) -> list[str]:
    """Write the types that a skops file holds into the script; return them."""
    if not message["skops"]:
        return []
    import skops.io

    types: list[str] = skops.io.get_untrusted_types(file=message["skops"])
    strange = [name for name in types if name not in set(message["harmless"])]
    if strange and not message["trusted"]:
        raise Failure("types", ValueError(", ".join(strange)))
    path = f"{message['root']}/app/{message['script']}"
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        text = file.read()
    lines = "".join(f'    "{name}",\n' for name in types)
    with open(path, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text.replace(message["placeholder"], f"[\n{lines}]" if types else "[]"))
    return types


def _check(model: Any, modules: Mapping[str, str]) -> None:
    """Refuse a model in which a stored index leads out of its array, by the same code as `Model.load`."""
    import importlib.util

    for name, path in modules.items():
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            spec.loader.exec_module(module)
            if hasattr(module, "check_indices"):
                with step("the model"):
                    module.check_indices(model, name="the model")


def _imported(root: str, service: Sequence[str]) -> list[str]:
    """Files of the modules that were imported, those of Python and of the bundle aside."""
    from amlsdk import scoring

    _import_service(os.path.dirname(os.path.abspath(str(scoring.__file__))), service)  # noqa: PTH100, PTH120
    library = os.path.dirname(os.__file__)  # noqa: PTH120
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    named = [os.path.abspath(file) for file in files if isinstance(file, str)]  # noqa: PTH100
    mine = (f"{root}/runtime/", f"{os.path.dirname(__file__)}/")  # noqa: PTH120
    packages = (f"{library}/site-packages/", f"{library}/dist-packages/")
    found = [file for file in [*named, *_mapped()] if not file.startswith(mine)]
    return [file for file in dict.fromkeys(found) if not file.startswith(f"{library}/") or file.startswith(packages)]


def _mapped() -> list[str]:
    """Libraries that extension modules loaded: those of other distributions are never imported."""
    try:
        with open("/proc/self/maps", encoding="utf-8") as lines:  # noqa: PTH123
            paths = [line.split(None, 5)[5].strip() for line in lines if line.count("/")]
    except (OSError, IndexError):  # not on Linux
        return []
    return [path for path in dict.fromkeys(paths) if "site-packages/" in path or "dist-packages/" in path]


def _import_service(folder: str, modules: Sequence[str]) -> None:
    """Import all that serves, as it will be: the libraries around the script are part of what an image needs."""
    import importlib

    for name in sorted(os.listdir(folder)):  # noqa: PTH208
        module, suffix = os.path.splitext(name)  # noqa: PTH122
        if suffix == ".py" and not module.startswith("__") and module != "serve":
            importlib.import_module(f"amlsdk.scoring.{module}")
    # Some it imports only when it begins, and does without where they are not there.
    for name in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
