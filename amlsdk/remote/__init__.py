"""A Service over HTTP."""

from amlsdk.remote.backend import RemoteBackend

__all__ = ["RemoteBackend"]
