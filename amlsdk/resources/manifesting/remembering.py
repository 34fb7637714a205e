"""Trials of scripts that amlsdk wrote, kept to be used again for the same model, sample and packages.

Such a script depends on nothing else, so that trying it again would only take time; a user's script may read what it
likes, and is always tried.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from amlsdk.errors import AmlError
from amlsdk.records.converting import CONVERTER
from amlsdk.records.manifests import Dependency
from amlsdk.resources.manifesting.installed import Environment
from amlsdk.resources.manifesting.plans import Plan
from amlsdk.resources.manifesting.probing import Outcome

if TYPE_CHECKING:
    from amlsdk.resources.client import Client

__all__ = ["Memory", "packages_of"]

_VERSION = 1


@attrs.frozen
class Memory:
    """What one trial found, in a file that may be lost at any time.

    Args:
        path: The file; None where nothing is to be remembered.
    """

    path: Path | None

    @classmethod
    def of(cls, client: Client, plan: Plan, installed: Environment, visible: Iterable[str], *, trusted: bool) -> Memory:
        """Return the memory of a trial: named by all that it depends on but the content of the packages."""
        import orjson

        if plan.draft is None or plan.material is None:
            return cls(None)
        packages = sorted(f"{name}=={installed.by_name[name].version}" for name in visible)
        facts = [
            _VERSION,
            plan.draft.text(),
            plan.material.model.digest,
            plan.material.model.name,
            CONVERTER.unstructure(plan.sample),
            trusted,
            packages,
            sys.version,
            sys.executable,
        ]
        name = hashlib.sha256(orjson.dumps(facts)).hexdigest()
        return cls(client.spool.cache / "trials" / f"{name}.json")

    def recall(self) -> tuple[Outcome, dict[str, str]] | None:
        """Return what was found, and the digests of the packages it was found with."""
        import orjson

        if self.path is None:
            return None
        try:
            content: dict[str, Any] = orjson.loads(self.path.read_bytes())
            return CONVERTER.structure(content["outcome"], Outcome), dict(content["packages"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, AmlError):
            return None

    def keep(self, outcome: Outcome, dependencies: Iterable[Dependency]) -> None:
        """Remember what was found."""
        import orjson

        if self.path is None:
            return
        content = {"outcome": CONVERTER.unstructure(outcome), "packages": packages_of(dependencies)}
        draft = self.path.with_name(f"{self.path.name}.{secrets.token_hex(8)}")
        # Only time is lost with it.
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                draft.write_bytes(orjson.dumps(content))
                draft.replace(self.path)
            finally:
                draft.unlink(missing_ok=True)


def packages_of(dependencies: Iterable[Dependency]) -> dict[str, str]:
    """Return the digests of packages by name."""
    return {one.name: one.files for one in dependencies}
