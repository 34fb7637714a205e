"""What a script was found to need, as distributions."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

import attrs

import amlsdk
from amlsdk.errors import InvalidArgument
from amlsdk.records.manifests import Dependency
from amlsdk.resources.arguments import check_items, shown
from amlsdk.resources.manifesting.installed import Distribution, Environment, normalised
from amlsdk.resources.manifesting.plans import Plan
from amlsdk.resources.manifesting.probing import Outcome
from amlsdk.resources.manifesting.runtime import OWN, service_modules
from amlsdk.resources.manifesting.wheels import Wheel

__all__ = ["Needs", "named_by_hand", "needs_of", "visible_for", "with_wheels"]

_BY_HAND = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==\s*([A-Za-z0-9.!+_-]+)\s*)?")


@attrs.frozen(kw_only=True)
class Needs:
    """What is to be locked.

    Args:
        used: Paths of the files that were imported, by distribution.
        scoring: Names of those that the script imports.
        unowned: Files that were imported and belong to no distribution.
    """

    used: Mapping[Distribution, tuple[str, ...]]
    scoring: frozenset[str]
    unowned: tuple[str, ...]


def named_by_hand(installed: Environment, given: Sequence[str] | None) -> frozenset[str]:
    """Return the names of distributions that were asked for.

    Raises:
        InvalidArgument: One is not installed, or in another version, or its text can't be read.
    """
    names = []
    for text in check_items(() if given is None else given, what="dependencies=...", of="names of distributions"):
        found = _BY_HAND.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise InvalidArgument(f"dependencies=...: 'name' or 'name==version' is expected, not {shown(text)}")
        one = installed.by_name.get(normalised(found[1]))
        if one is None:
            raise InvalidArgument(f"dependencies=...: {found[1]} is not installed here: pip install {text.strip()!r}")
        if found[2] not in (None, one.version):
            raise InvalidArgument(
                f"dependencies=...: {text!r} was asked for, and {one.version} is installed; what is locked is what was "
                "tried here: install the version you want"
            )
        names.append(one.name)
    return frozenset(names)


def visible_for(installed: Environment, plan: Plan, by_hand: frozenset[str]) -> frozenset[str]:
    """Names of what a script may import at first: what it and the service name, and what that says it needs."""
    tops = {*plan.modules, *service_modules()} - {OWN}
    found = installed.closure(tops, [(name, frozenset[str]()) for name in by_hand])
    return frozenset(found) - {OWN}


def needs_of(installed: Environment, outcome: Outcome, plan: Plan, by_hand: frozenset[str]) -> Needs:
    """Find the distributions of the files that were imported."""
    used: dict[str, list[str]] = {name: [] for name in by_hand}
    unowned = []
    own = os.path.dirname(os.path.abspath(amlsdk.__file__))  # noqa: PTH100, PTH120
    for file in outcome.files:
        found = installed.owner(file)
        if found is not None and found[0].name != OWN:
            used.setdefault(found[0].name, []).append(found[1])
        elif found is None and not file.startswith((f"{own}/", outcome.app)):
            unowned.append(file)
    scoring = installed.closure(plan.modules - {OWN}, [(name, frozenset[str]()) for name in by_hand])
    runtime = installed.closure(service_modules())
    by_name = {name: tuple(paths) for name, paths in sorted(used.items())}
    return Needs(
        used={installed.by_name[name]: paths for name, paths in by_name.items()},
        scoring=frozenset(name for name in by_name if name in scoring or name not in runtime),
        unowned=tuple(unowned),
    )


def with_wheels(dependencies: Iterable[Dependency], wheels: Mapping[str, Wheel]) -> list[Dependency]:
    """Note the wheels that an index has for distributions."""
    return [
        attrs.evolve(one, wheel=wheels[one.name].file, sha256=wheels[one.name].sha256) if one.name in wheels else one
        for one in dependencies
    ]
