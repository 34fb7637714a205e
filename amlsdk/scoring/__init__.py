"""What runs inside an image: a scoring service over HTTP.

A scoring script has `run(...)`, and `init()` where something is to be loaded; it may use what is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amlsdk.scoring.scripts import model_path, row_wise

if TYPE_CHECKING:
    from amlsdk.scoring.service import load_service

__all__ = ["load_service", "model_path", "row_wise"]


def __getattr__(name: str) -> Any:
    # A script that is only looked at needs nothing of what serves it.
    if name == "load_service":
        from amlsdk.scoring.service import load_service

        return load_service
    raise AttributeError(f"module 'amlsdk.scoring' has no attribute {name!r}")
