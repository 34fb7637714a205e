"""Values of secrets, fetched just before a script starts."""

from __future__ import annotations

from collections.abc import Mapping

from amlsdk.errors import AmlError
from amlsdk.execution.handover import Handover
from amlsdk.execution.reporting import Reporter
from amlsdk.operations.secrets import GetSecret

__all__ = ["SecretMissing", "values_of"]


class SecretMissing(Exception):  # of this package alone
    """A secret that a run is to be given can't be had; the message says why."""


def values_of(handover: Handover, reporter: Reporter) -> Mapping[str, str]:
    """Return the values of a run's secrets by environment variable; they are kept in memory only.

    Raises:
        SecretMissing: One can't be had.
    """
    found: dict[str, str] = {}
    for variable, name in handover.job.secrets.items():
        try:
            found[variable] = reporter.ask(GetSecret(name=name)).value
        except AmlError as error:
            raise SecretMissing(f"the secret {name!r} for {variable} can't be had: {error}") from error
    return found
