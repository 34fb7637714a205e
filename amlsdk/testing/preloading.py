"""Importing everything before threads are begun."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil

__all__ = ["import_all"]


def import_all() -> None:
    """Import every module of amlsdk that can be imported here.

    pytest makes a syntax tree of each module of amlsdk as it is imported, since it takes the whole package for one of
    its plugins. Two threads that do so at once fail in Python 3.11 (github.com/python/cpython/issues/106905), and
    amlsdk imports where it needs, also in threads.
    """
    import amlsdk

    for module in pkgutil.walk_packages(amlsdk.__path__, "amlsdk."):
        # Modules that begin a process do so as they are imported; extras may not be installed.
        if not module.name.endswith(("__main__", ".serve", ".probe")) and ".probe." not in module.name:
            with contextlib.suppress(ImportError):
                importlib.import_module(module.name)
