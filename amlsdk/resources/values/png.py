"""Arrays of pixels as PNG, without an imaging library (PNG specification, W3C, 2nd edition 2003, sections 5, 9, 11)."""

from __future__ import annotations

import struct
import zlib
from typing import Any

__all__ = ["png_bytes"]

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by samples a pixel: grey, grey and alpha, RGB, RGBA


def png_bytes(pixels: Any) -> bytes:
    """Encode an array `(H, W, C)` of uint8, with 1 to 4 samples a pixel, as PNG."""
    import numpy as np

    height, width, samples = pixels.shape
    # Each line begins with its filter; "up" makes flat areas and plots compress better than none.
    lines = np.empty((height, 1 + width * samples), np.uint8)
    flat = np.ascontiguousarray(pixels).reshape(height, width * samples)
    lines[:, 0] = 2
    lines[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=lines[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[samples], 0, 0, 0)
    body = zlib.compress(lines.tobytes(), 6)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
