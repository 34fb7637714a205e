"""Every error amlsdk raises.

AmlError
+-- InvalidArgument     what was asked can't be meant; the message points at the place
+-- NotFound            nothing has this name or id, or the caller may not know of it
+-- Conflict            it exists already, is in use, or changed in between
+-- Denied              the caller's role does not allow it
|   +-- NotSignedIn     no token was shown, or one that opens nothing (any more)
+-- Unavailable         a service, disk or lock can't be reached now; trying again may help
+-- OperationFailed     long work (a run, a build, a roll-out) ended badly; the reason is the message
+-- MissingDependency   an optional package is needed; the message says what to install

An error has the same class and the same text whether a folder or a service raised it: `code` and `status` are
what travels over HTTP.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BY_CODE",
    "AmlError",
    "Conflict",
    "Denied",
    "InvalidArgument",
    "MissingDependency",
    "NotFound",
    "NotSignedIn",
    "OperationFailed",
    "Unavailable",
]


class AmlError(Exception):
    """Root of every error of amlsdk."""

    code: ClassVar[str] = "Internal"
    status: ClassVar[int] = 500


class InvalidArgument(AmlError, ValueError):
    """What was asked can't be meant."""

    code = "InvalidArgument"
    status = 400


class NotFound(AmlError, LookupError):
    """Nothing has this name or id."""

    code = "NotFound"
    status = 404


class Conflict(AmlError):
    """It exists already, is in use, or changed in between."""

    code = "Conflict"
    status = 409


class Denied(AmlError):
    """The caller's role does not allow it."""

    code = "Denied"
    status = 403


class NotSignedIn(Denied):
    """No token was shown, or one that is unknown, expired or revoked."""

    code = "NotSignedIn"
    status = 401


class Unavailable(AmlError):
    """A service, a disk or a lock can't be reached now."""

    code = "Unavailable"
    status = 503


class OperationFailed(AmlError):
    """Long work ended badly; the message is the reason."""

    code = "OperationFailed"
    status = 422


class MissingDependency(AmlError, ImportError):
    """An optional package is needed; the message says what to install."""

    code = "MissingDependency"
    status = 501


BY_CODE: dict[str, type[AmlError]] = {
    error.code: error
    for error in (
        AmlError,
        InvalidArgument,
        NotFound,
        Conflict,
        Denied,
        NotSignedIn,
        Unavailable,
        OperationFailed,
        MissingDependency,
    )
}
