"""Blobs: bytes stored once under the SHA-256 digest of what they are."""
