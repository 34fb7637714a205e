"""The command `aml`, a file a noun."""

from amlsdk.cli.app import main

__all__ = ["main"]
