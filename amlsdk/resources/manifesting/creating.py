"""From models, a script and a sample to a manifest."""

from __future__ import annotations

import os
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from amlsdk.operations.manifests import CreateManifest
from amlsdk.plugins import require
from amlsdk.records.ids import new_id
from amlsdk.records.manifests import Dependency, ManifestRecord
from amlsdk.records.names import check_name, check_text
from amlsdk.resources.arguments import check_flag
from amlsdk.resources.manifesting.contract import keep_app, spec_of
from amlsdk.resources.manifesting.installed import Environment, environment
from amlsdk.resources.manifesting.locking import Locked, lock, store_ahead
from amlsdk.resources.manifesting.logged_samples import logged_sample
from amlsdk.resources.manifesting.materials import Material, check_trust, materials_of
from amlsdk.resources.manifesting.needing import Needs, named_by_hand, needs_of, visible_for, with_wheels
from amlsdk.resources.manifesting.noting import of_files, of_rows, of_versions, of_wheels
from amlsdk.resources.manifesting.plans import Plan, plan_for, question_for
from amlsdk.resources.manifesting.probing import Outcome, probe
from amlsdk.resources.manifesting.remembering import Memory, packages_of
from amlsdk.resources.manifesting.runtime import lock_runtime
from amlsdk.resources.manifesting.scripts import Kept, check_scoring
from amlsdk.resources.manifesting.wheels import Wheels

if TYPE_CHECKING:
    from amlsdk.resources.client import Client
    from amlsdk.resources.model import Model

__all__ = ["create_manifest"]


def create_manifest(  # noqa: PLR0913  # what a manifest is made of
    client: Client,
    name: str,
    models: Sequence[Model],
    *,
    scoring: str | os.PathLike[str] | Callable[..., Any] | Kept | None,
    sample: Any,
    dependencies: Sequence[str] | None,
    trusted: bool,
    description: str,
    index: bool = True,
) -> ManifestRecord:
    """Record the next version of a manifest; the script is run on the sample, in a process of its own.

    Args:
        client: Where to.
        name: Of the manifest.
        models: What it serves, the first one first.
        scoring: The script, a folder with `score.py`, or a function; None has one written for the model.
        sample: Data that are scored; None takes what the run that made the model logged as its input.
        dependencies: Distributions to be had beside those that are found, as `name` or `name==version`.
        trusted: Pickle-based files, and types that skops does not know, may run code.
        description: Free text.
        index: Whether the package index is asked for wheels and their hashes.

    Raises:
        InvalidArgument: Something given does not fit; the message says what.
        OperationFailed: The script failed; the message has the last lines of its traceback.
        MissingDependency: What serves models is not installed.
    """
    check_name(name, what="manifest")
    check_text(description, what="the description")
    check_flag(trusted, what="trusted=...")
    check_scoring(scoring)
    for module in ("msgspec", "uvicorn"):
        require(module, extra="serving")
    materials = materials_of(client, models)
    unsafe = check_trust(materials, trusted=trusted)
    data = logged_sample(client, materials) if sample is None else sample
    plan = plan_for(materials, scoring, data)
    found = _found(client, materials, plan, dependencies, trusted=trusted, index=index)
    spec = spec_of(name, materials, found.plan, found.outcome)
    request = CreateManifest(
        id=new_id(),
        name=name,
        model_ids=tuple(each.model.id for each in materials),
        files=keep_app(client, found.plan, spec),
        script=plan.script,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        platform=sysconfig.get_platform(),
        dependencies=found.dependencies,
        unsafe=(*unsafe, *found.plan.unsafe(found.outcome)),
        notes=found.notes,
        description=description,
    )
    return client.send(request)


@attrs.frozen(kw_only=True)
class _Found:
    plan: Plan
    outcome: Outcome
    dependencies: tuple[Dependency, ...]
    notes: tuple[str, ...]


def _found(
    client: Client,
    materials: Sequence[Material],
    plan: Plan,
    dependencies: Sequence[str] | None,
    *,
    trusted: bool,
    index: bool,
) -> _Found:
    """Try the script on the sample, and keep what it was found to need."""
    installed = environment()
    by_hand = named_by_hand(installed, dependencies)
    visible = visible_for(installed, plan, by_hand)
    memory = Memory.of(client, plan, installed, visible, trusted=trusted)
    # While the script is tried, the index is asked for what it may be found to need, and that is stored.
    wheels = Wheels([installed.by_name[each] for each in sorted(visible)], ask=index)
    own = lock_runtime(client)
    kept = _remembered(client, memory, installed, plan, by_hand, own)
    if kept is None:
        with store_ahead(client, installed, visible):
            outcome = _tried(materials, plan, installed, visible, trusted=trusted)
        kept = _kept(client, installed, plan, by_hand, outcome)
        memory.keep(outcome, [*kept.locked.dependencies, own])
    known, reason = wheels.of(list(kept.needs.used))
    locked = [attrs.evolve(one, by_hand=one.name in by_hand) for one in with_wheels(kept.locked.dependencies, known)]
    plan = plan.with_outcome(kept.outcome)
    notes = (
        *of_versions(materials, installed),
        *of_rows(plan, kept.outcome),
        *of_files(kept.needs.unowned, kept.outcome),
        *kept.locked.notes,
        *of_wheels(locked, reason),
    )
    ordered = tuple(sorted([*locked, own], key=lambda one: one.name))
    return _Found(plan=plan, outcome=kept.outcome, dependencies=ordered, notes=notes)


@attrs.frozen
class _Kept:
    outcome: Outcome
    needs: Needs
    locked: Locked


def _tried(
    materials: Sequence[Material], plan: Plan, installed: Environment, visible: frozenset[str], *, trusted: bool
) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="amlsdk-manifest-") as folder:
        return probe(question_for(Path(folder), materials, plan, visible, trusted=trusted), installed)


def _kept(client: Client, installed: Environment, plan: Plan, by_hand: frozenset[str], outcome: Outcome) -> _Kept:
    needs = needs_of(installed, outcome, plan, by_hand)
    return _Kept(outcome, needs, lock(client, needs.used, needs.scoring))


def _remembered(
    client: Client, memory: Memory, installed: Environment, plan: Plan, by_hand: frozenset[str], own: Dependency
) -> _Kept | None:
    """Use an earlier trial where every package has the very files that it had then."""
    recalled = memory.recall()
    if recalled is None:
        return None
    outcome, packages = recalled
    kept = _kept(client, installed, plan, by_hand, outcome)
    return kept if packages_of([*kept.locked.dependencies, own]) == packages else None
