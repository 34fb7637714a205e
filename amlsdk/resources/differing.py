"""What became different from one run to another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from amlsdk.filesets.compare import FileSetDiff

__all__ = ["Differences", "differing"]

# What is measured of the machine is different each time, and no result.
_OF_THE_MACHINE = "system/"


@attrs.frozen(kw_only=True)
class Differences:
    """What is not the same in two runs; false where nothing differs. Each pair is (first, second).

    Args:
        status: The states, where they differ.
        params: By name; None where a run lacks it.
        metrics: The last values by name; None where a run lacks it. Measures of the machine (`system/`) don't count.
        inputs: Digests by name.
        packages: Versions by name.
        code: Paths of the files that were executed.
        outputs: Paths of the files that were kept.
    """

    status: tuple[str, str] | None
    params: Mapping[str, tuple[Any, ...]]
    metrics: Mapping[str, tuple[Any, ...]]
    inputs: Mapping[str, tuple[Any, ...]]
    packages: Mapping[str, tuple[Any, ...]]
    code: FileSetDiff
    outputs: FileSetDiff

    def __bool__(self) -> bool:
        """Say whether anything differs."""
        return any(bool(value) for value in attrs.asdict(self, recurse=False).values())

    def __repr__(self) -> str:
        if not self:
            return "no differences: code, inputs, params, packages, metrics and outputs are the same"
        from amlsdk.resources.values.text_views import table_text

        return table_text(["", "first", "second"], self.rows())

    def _repr_html_(self) -> str:
        from amlsdk.resources.values.text_views import table_html

        return table_html(["", "first", "second"], self.rows())

    def rows(self) -> list[list[Any]]:
        """Return a row a difference: what it is, and what the first and the second run have."""
        rows: list[list[Any]] = [] if self.status is None else [["status", *self.status]]
        for kind in ("params", "metrics", "inputs", "packages"):
            rows += [[f"{kind}.{name}", *pair] for name, pair in getattr(self, kind).items()]
        return [*rows, *_paths("code", self.code), *_paths("outputs", self.outputs)]


def differing(rows: Mapping[str, tuple[Any, ...]]) -> dict[str, tuple[Any, ...]]:
    """Return the rows whose values are not all the same, those of the machine's own measures aside."""
    # NaN is not equal to itself, but two runs that both came to it don't differ.
    return {
        name: row
        for name, row in rows.items()
        if not name.startswith(_OF_THE_MACHINE) and len({_same_if_nan(value) for value in row}) > 1
    }


def _same_if_nan(value: Any) -> Any:
    return "nan" if value != value else value  # noqa: PLR0124  # true of NaN alone


def _paths(kind: str, found: FileSetDiff) -> list[list[Any]]:
    return [
        *([f"{kind} {path}", "", "added"] for path in found.added),
        *([f"{kind} {path}", "removed", ""] for path in found.removed),
        *([f"{kind} {path}", "", "changed"] for path in found.changed),
    ]
