"""The digest of the first bytes of a journal, which can be continued without these bytes.

With blocks of B = 16 KiB, c_0 = "" and c_k = SHA-256(c_(k-1) + block_k); the digest of a prefix of k whole blocks and
some rest shorter than B is SHA-256(c_k + rest). Whoever keeps c_k, the rest and the offset can go on.
"""

from __future__ import annotations

import hashlib
import struct

import attrs

from amlsdk.errors import OperationFailed

__all__ = ["BLOCK", "PrefixDigest"]

BLOCK = 16 * 1024
_CHAIN = 32
_OFFSET = struct.Struct("<Q")


@attrs.define
class PrefixDigest:
    """The digest of all bytes up to an offset.

    Args:
        chain: c_k of the whole blocks.
        rest: Bytes after the last whole block, fewer than 16 Ki.
        offset: How many bytes there were.
    """

    chain: bytes = b""
    rest: bytes = b""
    offset: int = 0

    def update(self, data: bytes) -> None:
        """Go on with the next bytes."""
        self.offset += len(data)
        data = self.rest + data
        whole = len(data) - len(data) % BLOCK
        view = memoryview(data)
        for start in range(0, whole, BLOCK):
            block = hashlib.sha256(self.chain)
            block.update(view[start : start + BLOCK])
            self.chain = block.digest()
        self.rest = data[whole:]

    def hexdigest(self) -> str:
        """Return the digest of all bytes so far, 64 hexadecimal digits."""
        return hashlib.sha256(self.chain + self.rest).hexdigest()

    def copy(self) -> PrefixDigest:
        """Return another one that stands at the same place."""
        return attrs.evolve(self)

    def state(self) -> bytes:
        """Return what `from_state` needs to go on: the offset (64-bit little-endian), the chain, the rest."""
        return _OFFSET.pack(self.offset) + self.chain + self.rest

    @classmethod
    def from_state(cls, state: bytes) -> PrefixDigest:
        """Go on where another one stood.

        Raises:
            OperationFailed: The bytes are not such a state.
        """
        offset = _OFFSET.unpack_from(state)[0] if len(state) >= _OFFSET.size else -1
        rest_at = _OFFSET.size + (_CHAIN if offset >= BLOCK else 0)
        if offset < 0 or len(state) != rest_at + offset % BLOCK:
            raise OperationFailed(f"{len(state)} bytes came that are not the state of a journal's digest")
        return cls(chain=state[_OFFSET.size : rest_at], rest=state[rest_at:], offset=offset)
