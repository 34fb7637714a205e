"""For tests: a throw-away workspace, pytest fixtures, and the contract suites that adapters pass.

With amlsdk installed, pytest has the fixture `aml_workspace`. The suites need pytest; nothing is imported before it
is used, so that this package costs a test run nothing.
"""

from __future__ import annotations

import contextlib
import importlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amlsdk.resources.workspace import Workspace
    from amlsdk.testing.blob_store_case import BlobStoreTestCase
    from amlsdk.testing.builder_case import BuilderTestCase
    from amlsdk.testing.deployer_case import DeployerTestCase
    from amlsdk.testing.modes import WireBackend, WireService
    from amlsdk.testing.service_case import ServiceTestCase
    from amlsdk.testing.target_case import TargetTestCase

__all__ = [
    "BlobStoreTestCase",
    "BuilderTestCase",
    "DeployerTestCase",
    "ServiceTestCase",
    "TargetTestCase",
    "WireBackend",
    "WireService",
    "workspace",
]

_HOMES = {
    "BlobStoreTestCase": "amlsdk.testing.blob_store_case",
    "BuilderTestCase": "amlsdk.testing.builder_case",
    "DeployerTestCase": "amlsdk.testing.deployer_case",
    "ServiceTestCase": "amlsdk.testing.service_case",
    "TargetTestCase": "amlsdk.testing.target_case",
    "WireBackend": "amlsdk.testing.modes",
    "WireService": "amlsdk.testing.modes",
}


@contextlib.contextmanager
def workspace() -> Iterator[Workspace]:
    """Give a new workspace in a temporary folder; at the end it is closed and the folder removed.

    Example:
        >>> from amlsdk.testing import workspace
        >>> with workspace() as ws:
        ...     ws.projects.create("wine").name
        'wine'
    """
    from amlsdk.resources.connecting import connect

    # A supervisor of a run that the test did not wait for may still write there.
    with (
        tempfile.TemporaryDirectory(prefix="amlsdk-", ignore_cleanup_errors=True) as folder,
        connect(Path(folder) / "workspace") as found,
    ):
        yield found


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'amlsdk.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
