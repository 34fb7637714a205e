"""What is cheap to lose and dear to find: JSON in the cache."""

from __future__ import annotations

import contextlib
import json
import secrets
from pathlib import Path
from typing import Any

__all__ = ["recall", "remember"]


def recall(path: Path) -> Any:
    """Return what was remembered, or None."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def remember(path: Path, content: Any) -> None:
    """Keep JSON, whole or not at all; a disk that refuses costs only speed."""
    draft = path.with_name(f".aml-{secrets.token_hex(8)}")
    with contextlib.suppress(OSError):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(content), "utf-8")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
