"""Arrays: from nested lists in JSON to numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amlsdk.records.serving import ColumnSpec, InputSpec
from amlsdk.scoring.replies import Problem
from amlsdk.scoring.scalars import check_scalar, json_name, scalar_type

__all__ = ["ArrayInput"]

_KINDS = {"f": "number", "i": "integer", "u": "integer", "b": "boolean", "M": "datetime"}


class ArrayInput:
    """An argument that is a numpy array.

    Attributes:
        type: By which msgspec reads it.
        batches: Whether rows of several requests can be put together: any number of them is accepted.
    """

    def __init__(self, spec: InputSpec) -> None:
        import numpy as np

        self.spec = spec
        self._dtype = np.dtype(spec.dtype or "float64")
        kind = _KINDS.get(self._dtype.kind, "string")
        self._item = ColumnSpec(name="", kind=kind, dtype=self._dtype.name)
        self.batches = bool(spec.shape) and spec.shape[0] is None
        self.type = _nested(scalar_type(self._item), len(spec.shape))

    def take(self, value: Any) -> Any:
        """Return the array of a value that msgspec read by `type`."""
        import numpy as np

        try:
            array = np.asarray(value, dtype=self._dtype)
        except (ValueError, OverflowError):
            # Lists of unequal lengths, most of all.
            return self.take_by_hand(value)
        if not self._fits(array.shape):
            return self.take_by_hand(value)
        return array

    def take_by_hand(self, value: Any) -> Any:
        """Return the array of any JSON value.

        Raises:
            Problem: It does not have the shape, or its values are not of the kind.
        """
        import numpy as np

        checked = self._checked(value, 0, self.spec.name)
        try:
            array = np.asarray(checked, dtype=self._dtype)
        except (ValueError, OverflowError) as error:
            raise Problem(f"{self.spec.name}: {error}") from None
        if not self._fits(array.shape):
            raise Problem(f"{self.spec.name}: an array of shape {self._shape()} is expected, not {array.shape}")
        return array

    def count(self, array: Any) -> int:
        """Return how many rows there are; 1 where its first length is fixed."""
        return len(array) if self.batches else 1

    def join(self, parts: Sequence[Any]) -> Any:
        """Return the argument for `run`, of the arrays of one or more requests."""
        if len(parts) == 1:
            return parts[0]
        import numpy as np

        return np.concatenate(parts)

    def _fits(self, shape: tuple[int, ...]) -> bool:
        wanted = self.spec.shape
        return len(shape) == len(wanted) and all(
            length > 0 if want is None else length == want for want, length in zip(wanted, shape, strict=True)
        )

    def _checked(self, value: Any, depth: int, where: str) -> Any:
        if depth == len(self.spec.shape):
            return check_scalar(self._item, value, where)
        want = self.spec.shape[depth]
        if not isinstance(value, list):
            raise Problem(f"{where}: a list is expected, not {json_name(value)}")
        if len(value) != want if want is not None else not value:
            expected = "at least one value" if want is None else f"a list of {want}"
            raise Problem(f"{where}: {expected} is expected, not {len(value) or 'none'}")
        return [self._checked(item, depth + 1, f"{where}[{at}]") for at, item in enumerate(value)]

    def _shape(self) -> str:
        return "(" + ", ".join("any" if length is None else str(length) for length in self.spec.shape) + ")"


def _nested(kind: Any, depth: int) -> Any:
    return list[_nested(kind, depth - 1)] if depth else kind  # type: ignore[misc]
