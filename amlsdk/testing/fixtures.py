"""The fixtures that pytest has wherever amlsdk is installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from amlsdk.resources.workspace import Workspace

__all__ = ["aml_workspace"]


@pytest.fixture
def aml_workspace() -> Iterator[Workspace]:
    """A new workspace in a temporary folder, closed and removed after the test."""
    from amlsdk.testing import workspace
    from amlsdk.testing.preloading import import_all

    import_all()
    with workspace() as found:
        yield found
