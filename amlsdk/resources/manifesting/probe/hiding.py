"""What is installed here and would not be in an image is hidden, so that the script is tried as it will run."""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

__all__ = ["Hidden"]


class Hidden(importlib.abc.MetaPathFinder):
    """Refuses modules by the name that an import of them begins with.

    Libraries import what they can make use of where it is there: scikit-learn imports pandas, skops pytest. What is
    found without them is the closure of what scoring needs.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = frozenset(names)
        self.asked: set[str] = set()

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:  # noqa: ARG002
        """Refuse a hidden module, leave others to the finders that follow."""
        top = fullname.partition(".")[0]
        if top in self.names:
            self.asked.add(top)
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)

    def install(self) -> None:
        """Begin."""
        sys.meta_path.insert(0, self)

    def lift(self) -> None:
        """Show what was hidden."""
        self.names = frozenset()
        importlib.invalidate_caches()
