"""What could not be found, hashed or verified, a sentence each."""

from __future__ import annotations

from collections.abc import Sequence

from amlsdk.records.manifests import Dependency
from amlsdk.records.names import listed
from amlsdk.resources.manifesting.installed import Environment, normalised
from amlsdk.resources.manifesting.materials import Material
from amlsdk.resources.manifesting.plans import Plan
from amlsdk.resources.manifesting.probing import Outcome

__all__ = ["of_files", "of_rows", "of_versions", "of_wheels"]

_ONE_BY_ONE = (
    "waiting requests are scored one by one, as it could not be shown that the model takes each row by itself; "
    "if it does, mark run() with @row_wise in a script of your own"
)


def of_versions(materials: Sequence[Material], installed: Environment) -> list[str]:
    """Say where models were made with another version of their library."""
    notes = []
    for each in materials:
        library, version = each.model.algorithm.get("library"), each.model.algorithm.get("library_version")
        one = installed.by_name.get(normalised(library)) if isinstance(library, str) else None
        if one is not None and version is not None and str(version) != one.version:
            notes.append(
                f"model {each.model.name!r} was made with {library} {version}; scoring was tried with {one.version}"
            )
    return notes


def of_rows(plan: Plan, outcome: Outcome) -> list[str]:
    """Say where waiting requests are not scored together."""
    if plan.draft is None or outcome.row_wise:
        return []
    return [_ONE_BY_ONE]


def of_files(unowned: Sequence[str], outcome: Outcome) -> list[str]:
    """Say which files an image will lack."""
    notes = []
    if unowned:
        notes.append(f"imported, but of no installed distribution, so that an image lacks them: {listed(unowned)}")
    if outcome.opened:
        notes.append(f"read by the script, but not beside it, so that an image lacks them: {listed(outcome.opened)}")
    return notes


def of_wheels(dependencies: Sequence[Dependency], reason: str) -> list[str]:
    """Say of which distributions no hash of a wheel is known, and why."""
    without = [f"{one.name} {one.version}" for one in dependencies if one.sha256 is None]
    if not without:
        return []
    why = reason or "the index has none for this platform"
    return [f"no wheel's hash is known of {listed(without)}: {why}; their files are kept, so that images can be built"]
