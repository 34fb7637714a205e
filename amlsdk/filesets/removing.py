"""Folders of a run that are no longer needed."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

__all__ = ["remove_tree"]


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it, as far as that can be done; what stays harms nothing."""
    # A script can nest folders deeper than Python can nest the calls that remove them.
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
