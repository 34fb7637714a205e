"""Where a script prints to, and where that is read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from amlsdk.storage.secrets.masked_output import MaskedOutput

__all__ = ["Printing", "printing_in"]


@attrs.frozen
class Printing:
    """Where a script prints to.

    Args:
        log: The file that is read.
        masked: What stands between the script and the file, where something is to be masked.
    """

    log: Path
    masked: MaskedOutput | None = None

    @property
    def path(self) -> Path:
        """What the script is to write to."""
        return self.log if self.masked is None else self.masked.pipe

    def close(self) -> None:
        """See that all of it is in the file; twice is no error."""
        if self.masked is not None:
            self.masked.close()


def printing_in(folder: Path, hidden: Sequence[str]) -> Printing:
    """Return where the script of a run prints to.

    Args:
        folder: The run's own.
        hidden: Texts that are masked.

    Raises:
        Unavailable: They can't be.
    """
    log = folder / "output.log"
    if not hidden:
        return Printing(log)
    from amlsdk.storage.secrets.masked_output import MaskedOutput
    from amlsdk.storage.secrets.masking import Mask

    return Printing(log, MaskedOutput(folder / "output.pipe", log, Mask(hidden)))
