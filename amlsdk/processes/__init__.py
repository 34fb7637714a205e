"""Processes: who one is, and how one leaves the process behind that began it."""

from amlsdk.processes.identity import identity_of, is_gone, this_process

__all__ = ["identity_of", "is_gone", "this_process"]
