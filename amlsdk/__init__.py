"""Track, run, register, package, deploy, watch and retrain models.

`amlsdk.connect("./workspace")` gives a `Workspace`, from which everything else is reached.
"""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amlsdk import errors
    from amlsdk.records.serving import ScoringSettings
    from amlsdk.resources.config import Config
    from amlsdk.resources.connecting import connect
    from amlsdk.resources.deployment import Deployment
    from amlsdk.resources.experiment import Experiment
    from amlsdk.resources.image import Image
    from amlsdk.resources.manifest import Manifest
    from amlsdk.resources.model import Model
    from amlsdk.resources.project import Project
    from amlsdk.resources.run import Run
    from amlsdk.resources.team import Subscription, Team
    from amlsdk.resources.workspace import Workspace

__all__ = [
    "Config",
    "Deployment",
    "Experiment",
    "Image",
    "Manifest",
    "Model",
    "Project",
    "Run",
    "ScoringSettings",
    "Subscription",
    "Team",
    "Workspace",
    "connect",
    "errors",
]

_HOMES = {
    "Config": "amlsdk.resources.config",
    "Deployment": "amlsdk.resources.deployment",
    "Experiment": "amlsdk.resources.experiment",
    "Image": "amlsdk.resources.image",
    "Manifest": "amlsdk.resources.manifest",
    "Model": "amlsdk.resources.model",
    "Project": "amlsdk.resources.project",
    "Run": "amlsdk.resources.run",
    "ScoringSettings": "amlsdk.records.serving",
    "Subscription": "amlsdk.resources.team",
    "Team": "amlsdk.resources.team",
    "Workspace": "amlsdk.resources.workspace",
    "connect": "amlsdk.resources.connecting",
}

logging.getLogger("amlsdk").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    # Names are imported when they are first used, so that `import amlsdk` costs a script next to nothing.
    if name == "errors":
        return importlib.import_module("amlsdk.errors")
    if name == "__version__":
        from importlib.metadata import version

        return version("amlsdk")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'amlsdk' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
