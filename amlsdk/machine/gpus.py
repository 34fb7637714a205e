"""GPUs, as `nvidia-ml-py` sees them where it is installed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import attrs

__all__ = ["Gpu", "open_gpus"]


@attrs.frozen
class Gpu:
    """One GPU of the machine, whether or not this process may use it.

    Args:
        index: As the driver counts.
        library: The module `pynvml`.
        handle: Of the device.
    """

    index: int
    library: Any
    handle: Any

    @property
    def name(self) -> str:
        """What the vendor calls it."""
        name = self.library.nvmlDeviceGetName(self.handle)
        return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)

    @property
    def memory_bytes(self) -> int:
        """All of its memory."""
        return int(self.library.nvmlDeviceGetMemoryInfo(self.handle).total)

    @property
    def used_bytes(self) -> int:
        """Memory in use, by any process."""
        return int(self.library.nvmlDeviceGetMemoryInfo(self.handle).used)

    @property
    def percent(self) -> float:
        """Share of the last sample period in which a kernel ran, 0 to 100."""
        return float(self.library.nvmlDeviceGetUtilizationRates(self.handle).gpu)


@contextlib.contextmanager
def open_gpus() -> Iterator[tuple[Gpu, ...]]:
    """Open the driver and give its GPUs: none where there is no driver or no library. Never raises by itself."""
    library: Any = None
    gpus: tuple[Gpu, ...] = ()
    with contextlib.suppress(Exception):
        import pynvml

        pynvml.nvmlInit()
        library = pynvml
        indices = range(library.nvmlDeviceGetCount())
        gpus = tuple(Gpu(index, library, library.nvmlDeviceGetHandleByIndex(index)) for index in indices)
    try:
        yield gpus
    finally:
        if library is not None:
            with contextlib.suppress(Exception):
                library.nvmlShutdown()
