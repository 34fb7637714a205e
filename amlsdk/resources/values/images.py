"""Images a user logs, as the bytes of an image file."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from typing import Any

from amlsdk.errors import InvalidArgument, NotFound
from amlsdk.resources.values.png import png_bytes

__all__ = ["image_bytes"]

_MAGIC = (
    (".png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    (".jpg", re.compile(rb"\xff\xd8\xff")),
    (".gif", re.compile(rb"GIF8[79]a")),
    (".webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
    # Before the root element: a mark of byte order, a declaration, comments, a document type.
    (
        ".svg",
        re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*\?>\s*|<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<svg[\s>]", re.DOTALL),
    ),
)
_MOST_BYTES = 256 << 20
_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})


def image_bytes(value: Any) -> tuple[bytes, str]:
    """Return an image as the bytes of a file, and the suffix that goes with them (as ".png").

    Args:
        value: A figure or axes of matplotlib or the module pyplot (its current figure), an image of PIL, an array
            `(H, W)`, `(H, W, 1)`, `(H, W, 3)` or `(H, W, 4)` of uint8, bool or floats from 0 to 1, the path of a PNG,
            JPEG, GIF, WebP or SVG file, or the bytes of one.

    Raises:
        InvalidArgument: It is none of these, or the content is not what it says.
        NotFound: There is no such file.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _recognized(bytes(value), "the bytes given")
    if isinstance(value, (str, os.PathLike)):
        return _of_path(Path(os.fsdecode(value)))
    if _is_pil(value):
        return _of_pil(value), ".png"
    figure = _figure(value)
    if figure is not None:
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        return buffer.getvalue(), ".png"
    if callable(getattr(value, "__array__", None)):
        return _of_array(value), ".png"
    raise InvalidArgument(
        f"an image is a matplotlib figure, a PIL image, an array, a path or the bytes of an image file, "
        f"not {type(value).__module__}.{type(value).__qualname__}"
    )


def _recognized(content: bytes, what: str) -> tuple[bytes, str]:
    for suffix, magic in _MAGIC:
        if magic.match(content):
            return content, suffix
    raise InvalidArgument(f"{what} are no PNG, JPEG, GIF, WebP or SVG; they begin with {content[:12]!r}")


def _of_path(path: Path) -> tuple[bytes, str]:
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise InvalidArgument(f"the image {str(path)!r} has {size} bytes; at most {_MOST_BYTES} are kept")
        return _recognized(path.read_bytes(), f"the contents of {str(path)!r}")
    except FileNotFoundError as error:
        raise NotFound(f"there is no image {str(path)!r}; the working folder is {Path.cwd()}") from error
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidArgument):
            raise
        raise InvalidArgument(f"the image {str(path)!r} can't be read: {error}") from error


def _is_pil(value: Any) -> bool:
    pil = sys.modules.get("PIL.Image")
    return pil is not None and isinstance(value, pil.Image)


def _of_pil(image: Any) -> bytes:
    buffer = io.BytesIO()
    fitting = image if image.mode in _PNG_MODES else image.convert("RGB")
    fitting.save(buffer, format="PNG")
    return buffer.getvalue()


def _figure(value: Any) -> Any:
    """The figure that is meant, or None where a value has nothing to do with matplotlib."""
    if getattr(value, "__name__", None) == "matplotlib.pyplot":
        if not value.get_fignums():
            raise InvalidArgument("pyplot has no open figure; draw first, or give the figure itself")
        return value.gcf()
    if "matplotlib" not in sys.modules:
        return None
    if callable(getattr(value, "savefig", None)):
        return value
    return value.get_figure() if callable(getattr(value, "get_figure", None)) else None


def _of_array(value: Any) -> bytes:
    import numpy as np

    array = np.asarray(value)
    pixels = array[:, :, np.newaxis] if array.ndim == 2 else array  # noqa: PLR2004  # grey
    if pixels.ndim != 3 or pixels.shape[2] not in {1, 3, 4} or 0 in pixels.shape:  # noqa: PLR2004
        hint = "; put the channels last" if array.ndim == 3 and array.shape[0] in {1, 3, 4} else ""  # noqa: PLR2004
        raise InvalidArgument(f"an array for an image is (H, W), (H, W, 3) or (H, W, 4), not {array.shape}{hint}")
    return png_bytes(_as_bytes(pixels, np))


def _as_bytes(pixels: Any, np: Any) -> Any:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype.kind == "b":
        return pixels.astype(np.uint8) * 255
    if pixels.dtype.kind != "f":
        raise InvalidArgument(f"an array for an image holds uint8 or floats from 0 to 1, not {pixels.dtype}")
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 1):  # NaN fails both
        raise InvalidArgument(f"floats of an image are from 0 to 1; here from {low:g} to {high:g}")
    return np.rint(pixels.astype(np.float32) * 255).astype(np.uint8)
