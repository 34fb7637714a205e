"""Symbolic links of a tree: kept only where they lead to a place inside of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from amlsdk.errors import InvalidArgument
from amlsdk.filesets.paths import is_utf8

__all__ = ["check_links"]

_MOST_HOPS = 40  # as Linux


def check_links(links: Mapping[str, str]) -> None:
    """Check that the links of a tree stay inside of it, also where one leads through another.

    Comparing texts is not enough: in `a/b/..`, `..` is the parent of what `b` points to. A target that is not
    there is allowed.

    Args:
        links: The target of each link by its path in the tree.

    Raises:
        InvalidArgument: A link leaves the tree or leads to itself; the message names it.
    """
    for path, target in links.items():
        if not is_utf8(target):
            raise InvalidArgument(f"the link {path!r} -> {target!r} has bytes that are not UTF-8; make it anew")
        _follow(path, links)


def _follow(path: str, links: Mapping[str, str]) -> None:
    here: list[str] = []
    ahead, hops = deque(path.split("/")), 0
    while ahead:
        part = ahead.popleft()
        if part in {"", "."}:
            continue
        if part == "..":
            if not here:
                raise _leaves(path, links[path])
            here.pop()
            continue
        target = links.get("/".join([*here, part]))
        if target is None:
            here.append(part)
            continue
        hops += 1
        if not target or "\0" in target or target.startswith("/") or target[1:2] == ":":
            raise _leaves(path, links[path])
        if hops > _MOST_HOPS:
            raise InvalidArgument(f"the link {path!r} -> {links[path]!r} leads to itself; remove it or leave it out")
        ahead.extendleft(reversed(target.split("/")))


def _leaves(path: str, target: str) -> InvalidArgument:
    return InvalidArgument(
        f"the link {path!r} -> {target!r} leaves the folder; make it a relative link to a place inside, "
        "put a copy there, or leave it out with .amlignore"
    )
